"""milvus.yaml by Milvus' rules: layers, folding, stringified values, live re-reading, environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.devkit.milvus.config import MilvusYaml, flatten, fold

DASHSCOPE = "function: {textEmbedding: {providers: {dashscope: {%s}}}}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    def put(text: str, name: str = "milvus.yaml") -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")

    return put


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        pytest.param('credential: {dev: {apikey: "k"}}', "dev", "k", id="a label is found"),
        pytest.param('credential: {Dev: {apikey: "k"}}', "dev", "k", id="a label in the file is lower-cased"),
        pytest.param('credential: {Dev: {apikey: "k"}}', "Dev", None, id="a label that is asked for is not"),
        pytest.param('credential: {a_b: {apikey: "k"}}', "ab", None, id="the label itself is not folded when scanned"),
        pytest.param(
            'credential: {a_b: {apikey: "1"}, ab: {apikey: "2"}}', "a_b", "2", id="labels that fold share a value"
        ),
        pytest.param("credential: {dev: {apikey: }}", "dev", "", id="null is an empty value"),
        pytest.param("credential: {dev: {apikey: 12}}", "dev", "12", id="a number becomes a string"),
        pytest.param("credential: {on: {apikey: k}}", "true", "k", id="the label on is true"),
        pytest.param("credential: {dev: {apikey: [a, b]}}", "dev", "a,b", id="a list is joined"),
        pytest.param("credential: {dev: {access_key_id: k}}", "dev", None, id="another kind is not an apikey"),
        pytest.param("credential: {a.b/c: {apikey: k}}", "a.b/c", "k", id="dots and slashes work"),
        pytest.param("", "dev", None, id="an empty file has none"),
    ],
)
def test_a_credential_is_looked_up_as_milvus_does(
    write: Callable[..., None], tmp_path: Path, text: str, label: str, value: str | None
) -> None:
    write(text)
    assert MilvusYaml(tmp_path).credential(label) == value


def test_a_later_file_wins_and_keeps_what_it_does_not_name(write: Callable[..., None], tmp_path: Path) -> None:
    write('credential: {dev: {apikey: "1"}, prod: {apikey: "p"}}')
    write('credential: {dev: {apikey: "2"}}', "default.yaml")
    write('credential: {dev: {apikey: "3"}}', "user.yaml")
    config = MilvusYaml(tmp_path)
    assert (config.credential("dev"), config.credential("prod")) == ("3", "p")


def test_a_changed_file_is_read_again(write: Callable[..., None], tmp_path: Path) -> None:
    write('credential: {dev: {apikey: "1"}}')
    config = MilvusYaml(tmp_path)
    assert config.credential("dev") == "1"
    write('credential: {dev: {apikey: "22"}}')
    assert config.credential("dev") == "22"
    write("credential: {}")
    assert config.credential("dev") is None


def test_a_file_that_cannot_be_parsed_or_is_gone_keeps_the_old_values(
    write: Callable[..., None], tmp_path: Path
) -> None:
    write('credential: {dev: {apikey: "1"}}')
    config = MilvusYaml(tmp_path)
    assert config.credential("dev") == "1"
    write("credential: [unclosed")
    assert config.credential("dev") == "1"
    (tmp_path / "milvus.yaml").unlink()
    assert config.credential("dev") == "1"


def test_a_file_that_was_not_there_at_the_start_waits_for_a_restart(write: Callable[..., None], tmp_path: Path) -> None:
    write("")
    config = MilvusYaml(tmp_path)
    write('credential: {dev: {apikey: "1"}}', "user.yaml")
    assert config.credential("dev") is None
    assert MilvusYaml(tmp_path).credential("dev") == "1"


def test_a_swapped_symbolic_link_is_followed(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "user.yaml").write_text(f"credential: {{dev: {{apikey: {name}}}}}", encoding="utf-8")
    (tmp_path / "data").symlink_to("old")
    (tmp_path / "user.yaml").symlink_to("data/user.yaml")
    config = MilvusYaml(tmp_path)
    assert config.credential("dev") == "old"
    (tmp_path / "next").symlink_to("new")
    os.replace(tmp_path / "next", tmp_path / "data")
    assert config.credential("dev") == "new"


@pytest.mark.parametrize(
    ("environment", "value"),
    [
        pytest.param({"CREDENTIAL_DEV_APIKEY": "e"}, "e", id="a variable replaces the value of a declared label"),
        pytest.param({"MILVUS_CONF_CREDENTIAL_DEV_APIKEY": "e"}, "e", id="so does one with the prefix"),
        pytest.param({"CREDENTIAL_OTHER_APIKEY": "e"}, "f", id="a variable of another label does not"),
    ],
)
def test_the_environment_overrides_files(
    write: Callable[..., None], tmp_path: Path, environment: Mapping[str, str], value: str
) -> None:
    write("credential: {dev: {apikey: f}}")
    config = MilvusYaml(tmp_path, environment)
    assert config.credential("dev") == value
    assert config.credential("other") is None


def test_a_variable_named_as_the_dotted_key_makes_a_label(tmp_path: Path) -> None:
    assert MilvusYaml(tmp_path, {"credential.dev.apikey": "e"}).credential("dev") == "e"


def test_the_provider_section_ignores_the_case_of_its_keys(write: Callable[..., None], tmp_path: Path) -> None:
    write(DASHSCOPE % 'Credential: dev, URL: "http://x", enable: False')
    assert MilvusYaml(tmp_path).provider("dashscope") == {"credential": "dev", "url": "http://x", "enable": "false"}


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        pytest.param("", 5, id="five by default"),
        pytest.param("function: {batch_factor: 2}", 2, id="as declared"),
        pytest.param("function: {batch_factor: 0}", 1, id="at least one"),
        pytest.param("function: {batch_factor: many}", 5, id="five if it is no number"),
    ],
)
def test_the_batch_factor(write: Callable[..., None], tmp_path: Path, text: str, factor: int) -> None:
    write(text)
    assert MilvusYaml(tmp_path).batch_factor() == factor


@given(st.text())
def test_folding_twice_is_folding_once(key: str) -> None:
    assert fold(fold(key)) == fold(key)


def test_flattening_gives_every_leaf() -> None:
    assert dict(flatten({"A": {"b": [1, True], "c": None}, 2: "x"})) == {"a.b": "1,true", "a.c": "", "2": "x"}
