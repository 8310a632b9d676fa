"""`apply`: the controllers over files, against an embedded Milvus and a DashScope stand-in."""

import json
from pathlib import Path

import pytest
import yaml

from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.unit.cli.process import KEYS, Command

FUNCTION = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: EmbeddingFunction
metadata: {name: f}
spec: {dashscope: {model: text-embedding-v3}}
"""


def test_everything_becomes_ready_and_the_second_time_nothing_changes(
    command: Command, manifests: Path, milvus: EmbeddedMilvus
) -> None:
    ended = command("apply", "-f", manifests, "--milvus", milvus.uri)
    assert (ended.status, len(ended.out.splitlines())) == (0, 6)
    assert "  MilvusCollection search/docs: Ready: " in ended.err
    before = milvus.changing_calls
    again = command("apply", "-f", manifests, "--milvus", milvus.uri)
    assert (again.status, again.out) == (0, ended.out)
    assert milvus.changing_calls == before


@pytest.mark.parametrize("policy", ["Delete", "DeleteIfEmpty"])
def test_policies_of_deletion_are_taken_although_nothing_is_ever_deleted_here(
    command: Command, manifests: Path, milvus: EmbeddedMilvus, policy: str
) -> None:
    documents = list(yaml.safe_load_all(manifests.read_text()))
    for document in documents:
        if document["kind"] == "MilvusCollection":
            document["spec"]["deletionPolicy"] = policy
    manifests.write_text(yaml.safe_dump_all(documents))

    assert command("apply", "-f", manifests, "--milvus", milvus.uri).status == 0


def test_no_key_is_in_any_output(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    ended = command("apply", "-f", manifests, "--milvus", milvus.uri, "--verbose", "-o", "json")
    assert ended.status == 0
    assert not [key for key in KEYS if key in ended.out + ended.err]


def test_json_lists_every_object(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    listed = json.loads(command("apply", "-f", manifests, "--milvus", milvus.uri, "-o", "json").out)
    assert [(entry["kind"], entry["name"], entry["ready"]) for entry in listed] == [
        ("MilvusConnection", "milvus", True),
        ("EmbeddingCredential", "apikey-dev", True),
        ("EmbeddingCredential", "apikey-prod", True),
        ("EmbeddingFunction", "docs-v3", True),
        ("MilvusCollection", "docs", True),
    ]


def test_the_configuration_is_kept_and_written_once(
    command: Command, manifests: Path, milvus: EmbeddedMilvus, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    arguments = ("apply", "-f", manifests, "--milvus", milvus.uri, "--write-config", kept)
    assert command(*arguments).status == 0
    assert set(yaml.safe_load((kept / "embedding.yaml").read_text())["credential"]) == {"apikey_dev", "apikey_prod"}
    stamps = {file.name: file.stat().st_mtime_ns for file in kept.iterdir()}
    assert command(*arguments).status == 0
    assert {file.name: file.stat().st_mtime_ns for file in kept.iterdir()} == stamps


def test_a_rejected_key_ends_the_run_long_before_the_time_is_over(
    command: Command, manifests: Path, milvus: EmbeddedMilvus, dashscope: DashScopeStandIn
) -> None:
    dashscope.keys.discard("REPLACE-WITH-YOUR-PROD-KEY")
    ended = command("apply", "-f", manifests, "--milvus", milvus.uri, "--timeout", 50, "-o", "json")
    assert ended.status == 1
    unready = {entry["name"]: entry["reason"] for entry in json.loads(ended.out) if not entry["ready"]}
    assert unready == {"apikey-prod": "KeyRejected"}
    assert ended.err.endswith("error: 1 of 5 objects not Ready\n")


def test_a_milvus_that_does_not_answer_is_waited_for_and_no_longer(command: Command, manifests: Path) -> None:
    ended = command("apply", "-f", manifests, "--milvus", "http://127.0.0.1:1", "--timeout", 1, "-o", "json")
    assert ended.status == 1
    reasons = {entry["kind"]: entry["reason"] for entry in json.loads(ended.out)}
    assert reasons["MilvusConnection"] == "Unreachable"
    assert ended.err.endswith("not Ready within 1 s\n")


def test_a_function_alone_needs_no_milvus(command: Command) -> None:
    ended = command("apply", "-f", "-", stdin=FUNCTION)
    assert ended.status == 0
    assert ended.out.splitlines()[1].split()[:4] == ["EmbeddingFunction", "default/f", "True", "Ready"]


@pytest.mark.parametrize(
    ("arguments", "text", "status", "told"),
    [
        pytest.param(
            [], FUNCTION.replace("v3", "v9"), 1, "nothing was changed: the manifests have 1 error", id="errors"
        ),
        pytest.param([], "", 1, "nothing to do", id="no object"),
        pytest.param(["--milvus", "me:hunter22@m:19530"], FUNCTION, 2, "without user and password", id="a password"),
        pytest.param(["--milvus", "localhost:19530"], FUNCTION, 2, "http://host:port", id="an address without scheme"),
        pytest.param(["--timeout", "0"], FUNCTION, 2, "--timeout", id="no time"),
        pytest.param(["--write-config", "x"], FUNCTION, 2, "--write-config is for one connection", id="no connection"),
    ],
)
def test_what_is_refused_before_anything_is_done(
    command: Command, arguments: list[str], text: str, status: int, told: str
) -> None:
    ended = command("apply", "-f", "-", *arguments, stdin=text)
    assert (ended.status, ended.out) == (status, "")
    assert told in ended.err
    assert "hunter22" not in ended.err


def test_one_address_cannot_stand_for_two_connections(command: Command) -> None:
    text = "".join(
        f"---\napiVersion: embedding.milvus.io/v1alpha1\nkind: MilvusConnection\n"
        f"metadata: {{name: {name}}}\nspec: {{uri: 'http://m:19530'}}\n"
        for name in "ab"
    )
    ended = command("apply", "-f", "-", "--milvus", "http://localhost:19530", stdin=text)
    assert ended.status == 2
    assert "--milvus: one address cannot stand for 2 connections (default/a, default/b)" in ended.err
