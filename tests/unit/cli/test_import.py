"""`import`: manifests that equal what stands in a Milvus, and the way back through validate and plan."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index, Schema
from milvus_embedding.domain.scrub import Scrubber
from tests.unit.cli.process import KEYS, Command

FIELDS = (
    Field(name="id", type="INT64", primary_key=True),
    Field(name="document", type="VARCHAR", params={"max_length": "9000"}),
    Field(name="year", type="INT32", nullable=True),
    Field(name="dense", type="FLOAT_VECTOR", params={"dim": "1024"}),
)
ALI = Function(
    name="ali",
    kind=FunctionKind.TEXT_EMBEDDING,
    inputs=("document",),
    outputs=("dense",),
    params={"provider": "DashScope", "model_name": "text-embedding-v3", "credential": "apikey_dev"},
)


async def _make(uri: str, name: str, schema: Schema) -> None:
    clients: MilvusRegistry[str] = MilvusRegistry(scrubber=Scrubber())
    await clients.prepare()
    milvus = await clients.get("made by hand", Target(uri=uri, user="", password="", token="", timeout_seconds=30))
    try:
        await milvus.create_collection("default", name, schema)
        await milvus.create_index("default", name, Index(field="dense", type="AUTOINDEX", metric="COSINE"))
        await milvus.load("default", name, replicas=1, resource_groups=())
        await milvus.create_alias("default", name, f"{name}_alias")
    finally:
        await clients.close()


@pytest.fixture
def by_hand(milvus: EmbeddedMilvus) -> EmbeddedMilvus:
    """A Milvus with the collection old_docs, which no operator made."""
    properties = {"collection.ttl.seconds": "86400"}
    asyncio.run(_make(milvus.uri, "old_docs", Schema(fields=FIELDS, functions=(ALI,), properties=properties)))
    return milvus


def test_manifests_equal_what_stands(command: Command, by_hand: EmbeddedMilvus) -> None:
    before = by_hand.changing_calls
    ended = command("import", "--milvus", by_hand.uri, "-n", "search")
    assert (ended.status, ended.err) == (0, "4 objects written\n")
    assert by_hand.changing_calls == before
    connection, credential, function, collection = yaml.safe_load_all(ended.out)
    assert connection["spec"] == {"uri": by_hand.uri}
    assert credential["spec"] == {"connectionRef": {"name": "milvus"}, "label": "apikey_dev", "external": {}}
    assert function["metadata"] == {"name": "text-embedding-v3-apikey-dev", "namespace": "search"}
    assert function["spec"] == {"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev"}}}
    assert collection["metadata"]["name"] == "old-docs"
    assert collection["spec"] == {
        "connectionRef": {"name": "milvus"},
        "fields": [
            {"name": "id", "type": "INT64", "primaryKey": True},
            {"name": "document", "type": "VARCHAR", "maxLength": 9000},
            {"name": "year", "type": "INT32", "nullable": True},
            {"name": "dense", "type": "FLOAT_VECTOR", "dim": 1024},
        ],
        "functions": [
            {
                "name": "ali",
                "inputFields": ["document"],
                "outputFields": ["dense"],
                "textEmbedding": {"functionRef": {"name": "text-embedding-v3-apikey-dev"}},
            }
        ],
        "properties": {"collection.ttl.seconds": 86400},
        "aliases": ["old_docs_alias"],
    }


def test_the_way_back_has_no_errors_and_nothing_to_change(
    command: Command, by_hand: EmbeddedMilvus, tmp_path: Path
) -> None:
    folder = tmp_path / "imported"
    assert command("import", "--milvus", by_hand.uri, "--to", folder).status == 0
    names = ["collection-old-docs.yaml", "connection.yaml", "credentials.yaml", "functions.yaml"]
    assert sorted(file.name for file in folder.iterdir()) == names

    checked = command("validate", "-f", folder)
    assert (checked.status, checked.out) == (0, "")
    before = by_hand.changing_calls
    planned = command("plan", "-f", folder, "-o", "json")
    [collection] = json.loads(planned.out)["collections"]
    assert json.loads(planned.out)["problems"] == []
    assert (planned.status, collection["outcome"], collection["steps"]) == (2, "Adopt", [])
    assert (collection.get("ownerFrom"), collection["ownerTo"]) == (None, "files/default/old-docs")
    assert by_hand.changing_calls == before

    assert command("apply", "-f", folder).status == 0
    planned = command("plan", "-f", folder)
    assert (planned.status, planned.out.splitlines()[-1]) == (0, "Plan: 1 unchanged.")


def test_the_same_again_writes_nothing_and_other_files_are_left_alone(
    command: Command, by_hand: EmbeddedMilvus, tmp_path: Path
) -> None:
    arguments = ("import", "--milvus", by_hand.uri, "--to", tmp_path / "imported")
    command(*arguments)
    assert command(*arguments).status == 0
    file = tmp_path / "imported" / "functions.yaml"
    file.write_text("# mine\n")
    ended = command(*arguments)
    assert ended.status == 1
    assert f"nothing was written: {file} exist and differ" in ended.err
    assert file.read_text() == "# mine\n"


def test_a_connection_that_exists_is_referred_to(command: Command, by_hand: EmbeddedMilvus) -> None:
    ended = command("import", "--milvus", by_hand.uri, "-n", "search", "--connection", "milvus/main")
    credential, function, collection = yaml.safe_load_all(ended.out)
    assert credential["metadata"]["namespace"] == "milvus"
    assert credential["spec"]["allowedNamespaces"] == {"from": "Names", "names": ["search"]}
    assert function["spec"]["dashscope"]["credentialRef"] == {"name": "apikey-dev", "namespace": "milvus"}
    assert collection["spec"]["connectionRef"] == {"name": "main", "namespace": "milvus"}
    assert "MilvusConnection milvus/main has to admit namespace search" in ended.err


def test_whose_a_collection_is_already_is_told(command: Command, manifests: Path, milvus: EmbeddedMilvus) -> None:
    command("apply", "-f", manifests, "--milvus", milvus.uri)
    ended = command("import", "--milvus", milvus.uri, "--collection", "do*")
    assert "# it belongs to files/search/docs already, and is adopted by nobody else" in ended.out
    assert "embedding.milvus.io/owner" not in ended.out
    assert not [key for key in KEYS if key in ended.out + ended.err]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        pytest.param(["--collection", "nothing*"], 1, "nothing to import", id="no such collection"),
        pytest.param(["--database", "nowhere"], 1, "Milvus at ", id="no such database"),
        pytest.param(["--connection", "milvus"], 2, "write it as namespace/name", id="a connection without namespace"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(
    command: Command, milvus: EmbeddedMilvus, arguments: list[str], status: int, told: str
) -> None:
    ended = command("import", "--milvus", milvus.uri, *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert told in ended.err


def test_half_a_login_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILVUS_USERNAME", "reader")
    ended = command("import", "--milvus", "http://127.0.0.1:1")
    assert ended.status == 2
    assert "MILVUS_USERNAME and MILVUS_PASSWORD go together" in ended.err


def test_a_password_in_the_address_is_not_quoted(command: Command) -> None:
    ended = command("import", "--milvus", "http://me:hunter22@m:19530")
    assert ended.status == 2
    assert "hunter22" not in ended.err
