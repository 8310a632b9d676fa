"""Changes of a collection that exists: the spec before and after, their class, and the calls that make them."""

from dataclasses import dataclass, field

from milvus_embedding.api.annotations import APPROVED_PLAN
from milvus_embedding.domain.planning.record import APPLIED, RECORD
from tests.fakes.milvus import StoredCollection
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import DOCS, Body, collection, fields

NOTE: Body = {"name": "note", "type": "VARCHAR", "maxLength": 100, "nullable": True}
FREE: dict[str, object] = {"disruptive": "Automatic", "destructive": "Manual"}
REBUILT = ("release", "drop_index", "create_index", "load")


@dataclass(frozen=True)
class Change:
    """`before` and `after` are added to the quickstart's spec. `calls` do not count our own record."""

    class_: str
    after: dict[str, object]
    calls: tuple[str, ...]
    before: dict[str, object] = field(default_factory=dict)
    version: str = "v2.6.9"


L2: list[Body] = [{"field": "dense", "type": "AUTOINDEX", "metric": "L2"}]
CHANGES: dict[str, Change] = {
    "a description": Change("InPlace", {"description": "new"}, ("alter_properties",)),
    "consistency and a property in one call": Change(
        "InPlace",
        {"consistencyLevel": "Strong", "properties": {"collection.ttl.seconds": -1}},
        ("alter_properties",),
    ),
    "a nullable field": Change("InPlace", {"fields": [*fields(), NOTE]}, ("add_field",)),
    "a longer text": Change(
        "InPlace",
        {"fields": [fields()[0], {"name": "document", "type": "VARCHAR", "maxLength": 9500}, fields()[2]]},
        ("alter_field",),
    ),
    "a partition and an alias": Change(
        "InPlace", {"partitions": ["news"], "aliases": ["current"]}, ("create_partition", "create_alias")
    ),
    "the dynamic field on": Change("InPlace", {"enableDynamicField": True}, ("alter_properties",)),
    "replicas": Change("InPlace", {"load": {"replicas": 2}}, ("alter_properties",)),
    "loaded": Change("InPlace", {}, ("load",), before={"load": {"enabled": False}}),
    "a property removed": Change("InPlace", {}, ("drop_properties",), before={"properties": {"my.note": "x"}}),
    "the metric of an index": Change("Disruptive", {"indexes": L2}, REBUILT),
    "released": Change("Disruptive", {"load": {"enabled": False}}, ("release",)),
    "memory mapping": Change(
        "Disruptive", {"properties": {"mmap.enabled": True}}, ("release", "alter_properties", "load")
    ),
    "an alias removed": Change("Disruptive", {}, ("drop_alias",), before={"aliases": ["current"]}),
    "a partition removed": Change(
        "Destructive", {}, ("release_partitions", "drop_partition"), before={"partitions": ["news"]}
    ),
    "a time to live": Change("Destructive", {"properties": {"collection.ttl.seconds": 60}}, ("alter_properties",)),
    "a function dropped": Change("Destructive", {"functions": []}, ("drop_function",)),
    "a field removed": Change(
        "Destructive", {}, ("drop_field",), before={"fields": [*fields(), NOTE]}, version="v3.0.0"
    ),
    "a function where there was none": Change("Rebuild", {}, (), before={"functions": []}),
    "shards": Change("Rebuild", {"shards": 2}, ()),
    "the model": Change(
        "Rebuild",
        {"functions": [{
            "name": "ali", "inputFields": ["document"], "outputFields": ["dense"],
            "textEmbedding": {"dashscope": {"model": "text-embedding-v3", "dim": 512}},
        }], "fields": [*fields()[:2], {"name": "dense", "type": "FLOAT_VECTOR", "dim": 512}]},
        (),
    ),
}  # fmt: skip


def of_class(*classes: str) -> list[str]:
    return [name for name, change in CHANGES.items() if change.class_ in classes]


async def standing(bench: Bench, change: Change, **policies: object) -> StoredCollection:
    """The collection before the change, Ready; what was called by then is forgotten."""
    bench.milvus.version = change.version
    bench.quickstart(**{**policies, **change.before})
    await bench.settle_ready(DOCS)
    await bench.settle()
    bench.milvus.calls.clear()
    bench.told.clear()
    return bench.milvus.collection("docs")


def change_spec(bench: Bench, change: Change, **policies: object) -> None:
    bench.apply(collection(**{**policies, **change.after}))


def plan_of(bench: Bench) -> dict[str, object]:
    plan = bench.world.status(DOCS).get("plan")
    assert isinstance(plan, dict)
    return plan


def approve(bench: Bench, hash_: object = None) -> None:
    """By the annotation; the plan that is shown, if no other is given."""
    body = bench.world.bodies[DOCS]
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    annotations = {APPROVED_PLAN: str(hash_ or plan_of(bench)["hash"])}
    bench.apply({**body, "metadata": {**metadata, "annotations": annotations}})


def made(bench: Bench) -> list[str]:
    """The changing calls but for those that keep our record alone."""
    return [c.method for c in bench.milvus.changing if not _is_record(c.argument)]


def _is_record(argument: object) -> bool:
    return isinstance(argument, dict) and set(argument) <= {RECORD, APPLIED}
