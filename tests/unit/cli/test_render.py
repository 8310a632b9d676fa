"""`render`: golden files, masked by default, and everything that is refused."""

from pathlib import Path

import pytest
import yaml

from tests.unit.cli.process import ROOT, Command

GOLDEN = Path(__file__).parent / "golden"
ENVIRONMENT = ROOT / "tests" / "unit" / "cli" / "golden" / "environment.yaml"
KEYS = ("REPLACE-WITH-YOUR-DEV-KEY", "REPLACE-WITH-YOUR-PROD-KEY", "sk-$dollar")


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        pytest.param([], "quickstart.masked.yaml", id="the two sections, masked"),
        pytest.param(["--show-secrets"], "quickstart.yaml", id="the two sections, with the keys"),
        pytest.param(["-o", "yaml"], "quickstart.masked.yaml", id="the format may be named"),
        pytest.param(["--base", GOLDEN / "base.yaml"], "merged.masked.yaml", id="in a base file, masked"),
        pytest.param(
            ["--base", GOLDEN / "base.yaml", "--show-secrets"], "merged.yaml", id="in a base file, with the keys"
        ),
    ],
)
def test_delivery_by_file(command: Command, quickstart: Path, arguments: list[object], golden: str) -> None:
    ended = command("render", "-f", quickstart, *arguments)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (GOLDEN / golden).read_text()


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        pytest.param([], "environment.masked.env", id="an env file, masked"),
        pytest.param(["--show-secrets"], "environment.env", id="an env file, with the key"),
        pytest.param(["-o", "compose"], "compose.masked.yaml", id="the environment block, masked"),
        pytest.param(["-o", "compose", "--show-secrets"], "compose.yaml", id="the environment block, $ escaped"),
    ],
)
def test_delivery_by_environment(command: Command, arguments: list[str], golden: str) -> None:
    ended = command("render", "-f", ENVIRONMENT, *arguments)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (GOLDEN / golden).read_text()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("sk-$one$$two${THREE}", id="dollars"),
        pytest.param("""sk-"double"'single'`back`""", id="quotes"),
        pytest.param("sk- # - : {a} [b] &c *d !e |f >g", id="what means something in YAML"),
        pytest.param(r"sk-\n\\", id="backslashes"),
        pytest.param("0123456789", id="digits alone"),
        pytest.param("1e5", id="a number"),
        pytest.param("yes", id="a truth"),
    ],
)
def test_compose_gives_milvus_any_key_as_it_is(command: Command, key: str) -> None:
    secret, *others = [body for body in yaml.safe_load_all(ENVIRONMENT.read_text())][::-1]
    secret["stringData"] = {"apikey": key}
    ended = command("render", "-f", "-", "-o", "compose", "--show-secrets", stdin=yaml.safe_dump_all([*others, secret]))
    block = yaml.safe_load(ended.out)["environment"]
    assert {_interpolated(value) for value in block.values()} == {key}


def _interpolated(value: str) -> str:
    """As Compose reads it: $$ is a dollar, and any other one the start of a variable."""
    pairs = value.split("$$")
    assert "$" not in "".join(pairs)
    return "$".join(pairs)


def test_no_golden_file_that_is_masked_has_a_key() -> None:
    for file in GOLDEN.glob("*.masked.*"):
        assert not [key for key in (*KEYS, "sk-of-the-base") if key in file.read_text()], file.name


@pytest.mark.parametrize("name", ["milvus.yaml", "folder/../milvus.yaml"])
def test_the_base_file_is_never_overwritten(command: Command, quickstart: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    base = tmp_path / "milvus.yaml"
    base.write_text("etcd: {}\n")
    ended = command("render", "-f", quickstart, "--base", base, "--to", tmp_path / name)
    assert ended.status == 2
    assert "--to is the --base file" in ended.err
    assert base.read_text() == "etcd: {}\n"


def test_keys_that_are_not_in_the_files_are_asked_for_or_left_out(command: Command, quickstart: Path) -> None:
    files = ("-f", quickstart / "connection.yaml", "-f", quickstart / "credentials.yaml")
    refused, left_out = command("render", *files), command("render", *files, "--allow-missing")
    assert (refused.status, left_out.status) == (1, 0)
    assert refused.err.endswith("leave them out with --allow-missing, or add the files that declare them\n")
    assert left_out.err.count("left out: EmbeddingCredential milvus/apikey-") == 2


def test_a_file_is_for_its_owner_only_and_a_masked_one_is_warned_of(
    command: Command, quickstart: Path, tmp_path: Path
) -> None:
    target = tmp_path / "milvus.yaml"
    ended = command("render", "-f", quickstart, "--to", target)
    assert (ended.status, ended.out) == (0, "")
    assert "--show-secrets" in ended.err
    assert target.stat().st_mode & 0o777 == 0o600
    assert command("render", "-f", quickstart, "--show-secrets", "--to", target).err == ""
    assert yaml.safe_load(target.read_text())["credential"]["apikey_dev"] == {"apikey": KEYS[0]}


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        pytest.param(["-o", "env"], 2, "-o env does not go with delivery File: use yaml", id="a format of Option 2"),
        pytest.param(["--connection", "milvus"], 2, "write it as namespace/name", id="a connection without namespace"),
        pytest.param(
            ["--connection", "a/b"],
            1,
            "no MilvusConnection a/b that delivers keys: it is one of milvus/milvus",
            id="a connection that is not there",
        ),
        pytest.param(["--base", "missing.yaml"], 2, "'missing.yaml' does not exist", id="a base that is not there"),
        pytest.param(["--to", "/nowhere/x"], 1, "/nowhere/x cannot be written", id="a file that cannot be written"),
    ],
)
def test_what_is_refused_by_file(
    command: Command, quickstart: Path, arguments: list[str], status: int, told: str
) -> None:
    ended = command("render", "-f", quickstart, *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert told in ended.err


def test_a_base_file_does_not_go_with_environment(command: Command) -> None:
    ended = command("render", "-f", ENVIRONMENT, "--base", GOLDEN / "base.yaml")
    assert ended.status == 2
    assert "--base does not go with delivery Environment" in ended.err


def test_a_label_that_the_base_has_already_is_named_with_its_line(
    command: Command, quickstart: Path, tmp_path: Path
) -> None:
    base = tmp_path / "milvus.yaml"
    base.write_text("credential:\n  apikey_dev:\n    apikey: sk-of-the-base\n")
    ended = command("render", "-f", quickstart, "--base", base)
    assert ended.status == 1
    assert f"--base {base}: line 2: credential.apikey_dev" in ended.err
    assert "sk-of-the-base" not in ended.err


def test_a_credential_without_its_secret_is_an_error_and_may_be_left_out(command: Command, quickstart: Path) -> None:
    files = [part for name in ("connection", "credentials") for part in ("-f", quickstart / f"{name}.yaml")]
    ended = command("render", *files)
    assert ended.status == 1
    assert "EmbeddingCredential milvus/apikey-dev: spec.apiKeySecretRef: Secret dashscope-dev" in ended.err
    ended = command("render", *files, "--allow-missing")
    assert ended.status == 0
    assert yaml.safe_load(ended.out) == {"credential": {}}
    assert ended.err.count("left out: EmbeddingCredential ") == 2
    assert "credentialRef: the default goes with its key" in ended.err


def test_what_validate_refuses_is_not_rendered(command: Command, quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text((quickstart / "collection.yaml").read_text().replace("INT64", "FLOAT"))
    ended = command("render", "-f", quickstart / "connection.yaml", "-f", tmp_path)
    assert (ended.status, ended.out) == (1, "")
    assert "nothing was rendered: the manifests have 1 error" in ended.err
    assert f"{tmp_path}/wrong.yaml:" in ended.err


def test_nothing_to_render_is_an_error(command: Command) -> None:
    ended = command("render", "-f", "-", stdin="")
    assert ended.status == 1
    assert "no MilvusConnection with spec.embedding" in ended.err
