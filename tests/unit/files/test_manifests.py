"""Manifests as what an API server would hold."""

import pytest

from milvus_embedding.files.manifests import Manifests, sort, with_uri, without
from milvus_embedding.validation.documents import SourcedDocument, load_text

CONNECTION = """\
apiVersion: embedding.milvus.io/v1alpha1
kind: MilvusConnection
metadata: {name: %s}
spec: {milvusRef: {name: my-release}}
"""


def documents(text: str) -> list[SourcedDocument]:
    found, problems = load_text(text, "a.yaml")
    assert not problems
    return found


def sorted_out(text: str) -> Manifests:
    manifests, problems = sort(documents(text))
    assert not problems
    return manifests


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param("data: {k: dmFsdWU=}", {"k": b"value"}, id="data is base64"),
        pytest.param("stringData: {k: value}", {"k": b"value"}, id="stringData is text"),
        pytest.param("data: {k: b2xk}\nstringData: {k: value}", {"k": b"value"}, id="stringData wins over data"),
        pytest.param("stringData: {k: 123456}", {"k": b"123456"}, id="a number is taken as its text"),
        pytest.param("", {}, id="a Secret without data is empty"),
        pytest.param("data: {k: }", {}, id="a key without a value is left out"),
    ],
)
def test_a_secret_holds_what_the_api_server_would_store(text: str, data: dict[str, bytes]) -> None:
    manifests = sorted_out(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: n}}\n{text}\n")
    assert manifests.secrets["n", "s"].data == data


def test_a_config_map_holds_text_and_binary_data() -> None:
    manifests = sorted_out(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {ca.crt: PEM}\nbinaryData: {b: AAE=}\n"
    )
    assert manifests.config_maps["default", "c"].data == {"ca.crt": b"PEM", "b": b"\x00\x01"}


def test_data_that_is_not_base64_is_told_with_its_line_and_not_quoted() -> None:
    found = documents("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  apikey: sk-secret!\n")
    _, problems = sort(found)
    assert [(p.file, p.line) for p in problems] == [("a.yaml", 5)]
    assert "not base64" in str(problems[0])
    assert "sk-secret" not in str(problems[0])


def test_a_secret_is_not_in_the_repr() -> None:
    manifests = sorted_out("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {apikey: sk-secret}\n")
    assert "sk-secret" not in repr(manifests) + repr(manifests.secrets)


def test_other_kinds_and_kustomizations_are_left_out() -> None:
    manifests = sorted_out(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\n" + CONNECTION % "a"
    )
    assert [document.name for document in manifests.objects] == ["a"]
    assert not manifests.secrets


def test_an_address_replaces_that_of_the_connection_and_not_that_of_the_loaded_one() -> None:
    before = documents(CONNECTION % "a")
    changed = with_uri(before, "http://localhost:19530")
    assert changed[0].body["spec"] == {"uri": "http://localhost:19530"}
    assert before[0].body["spec"] == {"milvusRef": {"name": "my-release"}}


def test_one_address_for_two_connections_is_refused() -> None:
    with pytest.raises(ValueError, match="default/a, default/b"):
        with_uri(documents(CONNECTION % "a" + "---\n" + CONNECTION % "b"), "http://localhost:19530")


def test_removing_a_field_that_is_not_there_changes_nothing() -> None:
    (document,) = documents(CONNECTION % "a")
    assert without(document, ("status", "conditions")).body == document.body
