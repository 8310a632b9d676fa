"""Adoption, observation and hand-over against a real server: its properties keep the stamp, and its rows stay."""

from pymilvus import DataType, MilvusClient

from milvus_embedding.api.references import Key
from milvus_embedding.domain.ownership import ADOPTED, OWNER
from tests.milvus235.conftest import Connect
from tests.milvus235.server import ROOT, ROOT_PASSWORD, RealMilvus
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import OWNER_ID, Bench
from tests.unit.controllers.manifests import DOCS

ROW = {"id": 1, "document": "Haus", "dense": [1.0] * 1024}
HEIR = DOCS._replace(name="heir")


def made_by_hand(administrator: MilvusClient) -> None:
    """As the manual's page declares it, short of the function, with an index, loaded, and a row in it."""
    schema = administrator.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=9000)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1024)
    indexes = administrator.prepare_index_params()
    indexes.add_index("dense", index_type="AUTOINDEX", metric_type="COSINE")
    administrator.create_collection("docs", schema=schema, index_params=indexes, consistency_level="Bounded")
    administrator.insert("docs", ROW)


def declare(bench: Bench, real: RealMilvus, key: Key = DOCS, **spec: object) -> None:
    bench.world.put_secret("milvus", "milvus-auth", {"username": ROOT, "password": ROOT_PASSWORD})
    bench.world.put_secret("milvus", "apikey-dev", {"apikey": manifests.DEV_KEY})
    bench.apply(
        manifests.connection(
            uri=real.uri,
            authSecretRef={"name": "milvus-auth"},
            requestTimeoutSeconds=20,
            allowedAdoption={"from": "All"},
        ),
        manifests.credential(),
        manifests.collection(key, functions=[], collectionName="docs", **spec),
    )


async def properties(real: RealMilvus, connect: Connect) -> dict[str, str]:
    described = await connect(real.uri).describe("default", "docs")
    assert described is not None
    return dict(described.schema.properties)


async def test_adopted_handed_over_and_let_go(
    bench: Bench, real: RealMilvus, connect: Connect, administrator: MilvusClient
) -> None:
    made_by_hand(administrator)
    declare(bench, real, adoptionPolicy="Observe")
    await bench.settle_ready(DOCS)
    assert bench.condition(DOCS) == ("True", "Observed")
    assert OWNER not in await properties(real, connect)

    declare(bench, real)
    await bench.settle_ready(DOCS)
    kept = await properties(real, connect)
    assert (kept[OWNER], kept[ADOPTED]) == (f"{OWNER_ID}/search/docs", "true")

    declare(bench, real, HEIR)
    bench.world.annotate(DOCS, release_to="search/heir")
    await bench.settle_ready(DOCS)
    await bench.settle_ready(HEIR)
    bench.world.delete(DOCS)

    assert (await properties(real, connect))[OWNER] == f"{OWNER_ID}/search/heir"
    (row,) = administrator.query("docs", filter="id == 1", output_fields=["document"], consistency_level="Strong")
    assert row["document"] == "Haus"
