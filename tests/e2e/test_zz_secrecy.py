"""No key and no password is anywhere but in Secrets. Runs last by its name, over what the whole session left behind:
logs, metrics, statuses, annotations, Events, ConfigMaps, the audit log, and what commands printed.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.lab import PLURALS, path_of
from tests.e2e.quickstart import QUICKSTART, keys
from tests.e2e.secrecy import GO_ESCAPES, files, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Lab, OperatorProcess
    from tests.e2e.stage import Stage


def _seen(lab: Lab) -> Iterator[tuple[str, str]]:
    """Name and text of all that users, or who runs the cluster, can read."""
    for file in sorted(files(lab)):
        yield file.name, file.read_text(errors="replace")
    for kind in (*PLURALS, "Event", "ConfigMap", "Namespace"):
        yield kind, json.dumps(lab.api.get(path_of(kind)), ensure_ascii=False)
    yield "audit log", lab.plane.audit_log.read_text()


@pytest.fixture(scope="module")
def operator(lab: Lab) -> Iterator[OperatorProcess]:
    """Like everywhere, and as talkative as it can be."""
    with lab.operator("--log-level=debug") as process:
        process.wait_ready()
        yield process


@pytest.mark.parametrize("before", ["", "x", "xy"], ids=["alignment 0", "alignment 1", "alignment 2"])
@pytest.mark.parametrize("after", ["", "z"])
def test_a_leak_would_be_found(before: str, after: str) -> None:
    secret = "pw-test-<a&b>"

    assert leaks(f"key={secret}", {secret})
    assert leaks(json.dumps({"key": secret}).translate(GO_ESCAPES), {secret})
    assert leaks(base64.b64encode(f"{before}{secret}{after}".encode()).decode(), {secret})
    assert not leaks("nothing of the kind", {secret})


@pytest.fixture
def keyed(lab: Lab, tmp_path: Path) -> Path:
    """The quickstart's manifests with keys like real ones."""
    for file in QUICKSTART.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    secrets = tmp_path / "secrets.yaml"
    text = secrets.read_text()
    for key in keys(secrets):
        text = text.replace(key, lab.new_key("files"))
    secrets.write_text(text)
    return tmp_path


# Nothing listens there: what a command says when it fails is as much a text as any other.
COMMANDS = {
    "validate": ("validate",),
    "render": ("render",),
    "render for compose": ("render", "-o", "compose"),
    "apply": ("apply", "--milvus", "http://127.0.0.1:9", "--verbose", "--timeout", "3"),
    "apply, told as JSON": ("apply", "--milvus", "http://127.0.0.1:9", "-o", "json", "--timeout", "3"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
@pytest.mark.parametrize("broken", [False, True], ids=["of good manifests", "of a Secret that is no mapping"])
def test_no_command_prints_a_key(lab: Lab, keyed: Path, command: tuple[str, ...], broken: bool) -> None:
    if broken:
        key = keys(keyed / "secrets.yaml")[0]
        (keyed / "secrets.yaml").write_text(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {key}\n")

    ended = subprocess.run(
        [sys.executable, "-m", "milvus_embedding", *command, "-f", str(keyed)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout or ended.stderr
    assert "Traceback" not in ended.stderr
    assert leaks(ended.stdout + ended.stderr, lab.known_secrets) == []


def test_a_crash_leaves_no_memory_behind(operator: OperatorProcess) -> None:
    limits = Path(f"/proc/{operator.pid}/limits").read_text()
    [core] = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_no_secret_is_anywhere_but_in_secrets(stage: Stage, operator: OperatorProcess) -> None:
    lab = stage.lab
    wrong = stage.lab.new_key("wrong")
    stage.apply(stage.connection(), stage.secret(wrong), stage.credential(), stage.collection())
    stage.reason("EmbeddingCredential", "KeyRejected")
    stage.apply(stage.secret())
    stage.ready("MilvusCollection")
    commands = [("describe", plural, "-A") for plural in PLURALS.values()]
    for command in [("get", "milvus", "-A", "-o", "wide"), ("get", "milvus", "-A", "-o", "yaml"), *commands]:
        lab.keep_evidence("kubectl", lab.plane.kubectl(*command).stdout)
    lab.keep_evidence("kubectl", lab.plane.kubectl("get", "events", "-A").stdout)
    operator.keep_metrics()

    texts = dict(_seen(lab))

    # The search is no empty one: it would find the key where it belongs.
    assert leaks(json.dumps(lab.api.get(path_of("Secret", stage.namespace))), {stage.key})
    assert any(name.endswith(".log") and text for name, text in texts.items())
    assert any(name.endswith(".metrics") and "# TYPE" in text and "ok\n" in text for name, text in texts.items())
    assert {name: found for name, text in texts.items() if (found := leaks(text, lab.known_secrets))} == {}
