"""What the tests of faults start from: keys in use, and what is told of them."""

from collections.abc import Callable

from milvus_embedding.api.annotations import CONNECTION_LABEL
from milvus_embedding.api.references import Key
from tests.fakes.dashscope import ACCEPTED
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import (
    CONNECTION,
    DEV,
    DOCS,
    PROD,
    TO_SEARCH,
    collection,
    connection,
    credential,
)

Situation = Callable[[Bench], None]

CONTROL = (DEV, PROD, CONNECTION)
GUEST = Key("EmbeddingCredential", "search", "own-key")
GUEST_KEY = "sk-guest-0123456789abcdef"
NEW_KEY = "sk-new-0123456789abcdef"
SOURCE = ("milvus", "apikey-dev")
OURS = {CONNECTION_LABEL: "milvus"}
BY_LABEL = {"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev", "namespace": "milvus"}}}
WITHOUT_DEFAULT: dict[str, object] = {"dashscope": {}}


async def in_use(bench: Bench) -> None:
    """Both keys of the manual's page are rendered, and a ready collection names apikey_dev, which is no default."""
    bench.quickstart(embedding=BY_LABEL)
    bench.apply(connection(embedding=WITHOUT_DEFAULT))
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")


async def of_a_guest(bench: Bench) -> None:
    """The same with a credential, its Secret and the collection in a namespace of their own."""
    bench.secret("own-key", namespace="search", apikey=GUEST_KEY)
    bench.key_probe.results[GUEST_KEY] = ACCEPTED
    bench.apply(connection(embedding={"allowedNamespaces": TO_SEARCH}))
    bench.apply(credential(GUEST, label=None))
    bench.apply(
        collection(embedding={"dashscope": {"model": "text-embedding-v3", "credentialRef": {"name": GUEST.name}}})
    )
    await bench.settle()
    assert bench.condition(DOCS) == ("True", "Ready")


async def later(bench: Bench, seconds: float = 60) -> None:
    """The next look at the labels of all collections, and what follows from it."""
    bench.clock.advance(seconds)
    await bench.settle()


def config_hash(bench: Bench) -> object:
    config = bench.world.status(CONNECTION)["config"]
    assert isinstance(config, dict)
    return config["hash"]


def document(bench: Bench) -> str:
    return bench.config()["embedding.yaml"]


def label_states(bench: Bench) -> dict[str, str]:
    listed = bench.world.status(CONNECTION).get("labels", [])
    assert isinstance(listed, list)
    return {entry["label"]: entry["state"] for entry in listed}
