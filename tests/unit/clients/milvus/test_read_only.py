"""A client of --read-only reads, and sends nothing that changes anything: not one method of the port is left out."""

import inspect
from collections.abc import AsyncIterator

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import Milvus, ReadOnly
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.schema import Field, Function, FunctionKind, Index
from milvus_embedding.domain.scrub import Scrubber
from tests.fakes.milvus import CHANGING
from tests.unit.clients.milvus.schemas import PLAIN

VALUES: dict[str, object] = {
    "schema": PLAIN,
    "index": Index(name="i", field="dense", type="AUTOINDEX", metric="COSINE"),
    "field": Field(name="f", type="INT64", nullable=True),
    "function": Function(name="f", kind=FunctionKind.TEXT_EMBEDDING, inputs=("a",), outputs=("b",), params={}),
    "replicas": 1,
    "resource_groups": (),
    "partitions": ("p",),
    "params": {"k": "v"},
    "properties": {"k": "v"},
    "keys": ("k",),
}


@pytest.fixture
async def reader(embedded: EmbeddedMilvus) -> AsyncIterator[PymilvusClient]:
    target = Target(uri=embedded.uri, timeout_seconds=10)
    client = PymilvusClient(target, scrubber=Scrubber(), read_only=True)
    yield client
    await client.close()


@pytest.mark.parametrize("method", sorted(CHANGING))
async def test_a_call_that_changes_something_is_not_sent(
    reader: PymilvusClient, client: PymilvusClient, embedded: EmbeddedMilvus, method: str
) -> None:
    await client.create_collection("default", "docs", PLAIN)
    before = embedded.changing_calls
    call = getattr(reader, method)
    named = {
        name: value(name, method) for name in inspect.signature(getattr(Milvus, method)).parameters if name != "self"
    }

    with pytest.raises(ReadOnly, match="--read-only"):
        await call(**named)

    assert embedded.changing_calls == before


async def test_it_reads(reader: PymilvusClient, client: PymilvusClient) -> None:
    await client.create_collection("default", "docs", PLAIN)

    assert await reader.list_collections("default") == ("docs",)
    assert await reader.describe("default", "docs") is not None


def value(name: str, method: str) -> object:
    """Names of fields, functions and indexes are text where they are dropped or altered."""
    if name in ("field", "function", "index") and method not in (
        "add_field",
        "add_function",
        "add_function_field",
        "alter_function",
        "create_index",
    ):
        return "name"
    return VALUES.get(name, "name")
