"""The temporary collection on the wire: what the embedded Milvus and the stand-in say to it, and what is left."""

from pathlib import Path

import pytest

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.port import MilvusError
from milvus_embedding.controllers.connection.proving import attempt
from milvus_embedding.controllers.connection.proving.proofs import InTheWay, Verdict, judge
from milvus_embedding.devkit.dashscope.server import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.canary import Temporary
from milvus_embedding.domain.ownership import Owner
from tests.unit.clients.milvus.conftest import API_KEY
from tests.unit.clients.milvus.schemas import PLAIN

TEMPORARY = Temporary(owner=Owner("cluster-1", "milvus", "milvus"), uid="uid-1")


async def prove(client: PymilvusClient, label: str | None) -> Verdict:
    try:
        await attempt.clear(client, TEMPORARY)
        await attempt.create(client, TEMPORARY, label)
        await attempt.require_made(client, TEMPORARY, label)
        assert await attempt.clear(client, TEMPORARY) is not None
    except MilvusError as error:
        return judge(error)[0]
    return Verdict.PROVEN


async def test_a_key_that_embeds(client: PymilvusClient, embedded: EmbeddedMilvus, dashscope: DashScopeStandIn) -> None:
    assert await prove(client, "apikey_dev") is Verdict.PROVEN
    assert list(await client.list_collections("default")) == []
    assert len(dashscope.calls) == 1
    assert embedded.calls["DropCollection"] == 1


async def test_a_key_that_the_provider_refuses(client: PymilvusClient, dashscope: DashScopeStandIn) -> None:
    dashscope.keys.discard(API_KEY)
    assert await prove(client, "apikey_dev") is Verdict.REFUSED
    assert list(await client.list_collections("default")) == []


@pytest.mark.parametrize("label", ["nobody", None], ids=["a label that Milvus does not have", "no default key"])
async def test_a_key_that_milvus_does_not_have(client: PymilvusClient, label: str | None) -> None:
    assert await prove(client, label) is Verdict.UNKNOWN


async def test_the_default_key(client: PymilvusClient, config_dir: Path) -> None:
    file = config_dir / "milvus.yaml"
    file.write_text(file.read_text() + '        credential: "apikey_dev"\n')
    assert await prove(client, None) is Verdict.PROVEN


async def test_a_left_over_is_recognised_on_the_wire(client: PymilvusClient) -> None:
    await attempt.create(client, TEMPORARY, "apikey_dev")
    left = await attempt.ours(client, TEMPORARY)
    assert left is not None
    assert attempt.names(left, "apikey_dev")
    assert not attempt.names(left, "apikey_prod")
    assert await attempt.clear(client, TEMPORARY) == left.id
    assert await attempt.clear(client, TEMPORARY) is None


async def test_what_others_made_under_the_name_stays(client: PymilvusClient) -> None:
    await client.create_collection("default", TEMPORARY.name, PLAIN)
    with pytest.raises(InTheWay, match="not made by this operator"):
        await attempt.clear(client, TEMPORARY)
    assert list(await client.list_collections("default")) == [TEMPORARY.name]
