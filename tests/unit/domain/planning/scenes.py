"""Collections as the planner finds them: declared, created by its own acts, changed."""

import dataclasses
from collections.abc import Mapping

from milvus_embedding.api.collection import ChangeMode, ChangePolicy, CollectionSpec, DestructiveMode, DriftPolicy
from milvus_embedding.api.function import DashscopeModelSpec
from milvus_embedding.api.schema import TextEmbeddingSpec
from milvus_embedding.domain.catalogue import resolve
from milvus_embedding.domain.desired import Desired, ResolvedEmbedding, desired
from milvus_embedding.domain.labels import derived
from milvus_embedding.domain.ownership import Owner, stamp
from milvus_embedding.domain.planning.acting import next_act
from milvus_embedding.domain.planning.acts import Act, CreateCollection
from milvus_embedding.domain.planning.approval import UnderWay
from milvus_embedding.domain.planning.capabilities import Capabilities, capabilities
from milvus_embedding.domain.planning.deciding import Decision, decide
from milvus_embedding.domain.planning.effects import apply
from milvus_embedding.domain.planning.observed import Observed
from milvus_embedding.domain.planning.planner import plan
from milvus_embedding.domain.planning.steps import Generations, Plan

VERSIONS = ("v2.6.0", "v2.6.7", "v2.6.9", "v3.0.0")
OWNER = Owner("cluster", "search", "docs")
FREE = ChangePolicy(
    in_place=ChangeMode.AUTOMATIC,
    disruptive=ChangeMode.AUTOMATIC,
    destructive=DestructiveMode.MANUAL,
    rebuild=ChangeMode.MANUAL,
)

ID: dict[str, object] = {"name": "id", "type": "INT64", "primaryKey": True}
TEXT: dict[str, object] = {"name": "document", "type": "VARCHAR", "maxLength": 9000}
DENSE: dict[str, object] = {"name": "dense", "type": "FLOAT_VECTOR"}
OWN: dict[str, object] = {"name": "own", "type": "FLOAT_VECTOR", "dim": 8}
TAGS: dict[str, object] = {
    "name": "tags",
    "type": "ARRAY",
    "elementType": "VARCHAR",
    "maxCapacity": 5,
    "maxLength": 20,
}
TEAM: dict[str, object] = {"name": "team", "type": "VARCHAR", "maxLength": 20}
AT: dict[str, object] = {"name": "at", "type": "INT64", "nullable": True, "defaultValue": 5}
ALI: dict[str, object] = {
    "name": "ali",
    "inputFields": ["document"],
    "outputFields": ["dense"],
    "textEmbedding": {"dashscope": {"model": "text-embedding-v3"}},
}
FIELDS: list[dict[str, object]] = [ID, TEXT, DENSE, OWN, TAGS, TEAM, AT]
BASE: dict[str, object] = {"fields": FIELDS, "functions": [ALI], "indexes": []}


def fields(*changed: Mapping[str, object], without: str = "") -> dict[str, object]:
    """BASE with fields changed, added or removed by name. None as a value removes an option."""
    named: dict[str, dict[str, object]] = {str(f["name"]): dict(f) for f in FIELDS if f["name"] != without}
    for change in changed:
        name = str(change["name"])
        merged = {**named.get(name, {}), **change}
        named[name] = {key: value for key, value in merged.items() if value is not None}
    return {"fields": list(named.values())}


MODELS: Mapping[str, Mapping[str, object]] = {
    "docs-v3": {"model": "text-embedding-v3"},
    "docs-v3-a": {"model": "text-embedding-v3", "credentialRef": {"name": "a", "namespace": "milvus"}},
    "docs-v2": {"model": "text-embedding-v2"},
    "docs-v1": {"model": "text-embedding-v1"},
}
"""What EmbeddingFunctions of these names declare."""


def over_base(changes: Mapping[str, object]) -> dict[str, object]:
    """The spec of BASE with changes; None leaves a key of it out."""
    return {key: value for key, value in {**BASE, **changes}.items() if value is not None}


def wanted(
    changes: Mapping[str, object] | None = None,
    *,
    model: str | None = None,
    dim: int | None = None,
    label: str | None = None,
    unlisted: bool = False,
    models: Mapping[str, Mapping[str, object]] = MODELS,
) -> Desired:
    """The collection of BASE with changes. Its text embedding functions come to what they declare, with the label that
    their credential has, or all to the same model, dimension and label if one of these is given.
    """
    spec = CollectionSpec.model_validate({"connectionRef": {"name": "milvus"}, **over_base(changes or {})})
    named = {f.name: f.text_embedding for f in spec.functions if f.text_embedding is not None}
    if model or dim or label:
        found = ResolvedEmbedding(resolve(model or "text-embedding-v3", dim, allow_unlisted=unlisted), label)
        return desired(spec, name="docs", embeddings=dict.fromkeys(named, found))
    return desired(spec, name="docs", embeddings={name: _resolved(item, models) for name, item in named.items()})


def _resolved(embedding: TextEmbeddingSpec, models: Mapping[str, Mapping[str, object]]) -> ResolvedEmbedding:
    spec = embedding.dashscope
    if embedding.function_ref is not None:
        spec = DashscopeModelSpec.model_validate(models[embedding.function_ref.name])
    assert spec is not None
    reference = spec.credential_ref
    label = None
    if reference is not None:
        chosen = reference.namespace == "milvus"
        label = reference.name if chosen else derived(reference.namespace or OWNER.namespace, reference.name)
    return ResolvedEmbedding(resolve(spec.model, spec.dim, allow_unlisted=spec.allow_unlisted), label)


def decided(
    current: Plan,
    *,
    policy: ChangePolicy = FREE,
    approved: tuple[str, ...] | None = None,
    drift: DriftPolicy | None = None,
    creating: bool = False,
    under_way: UnderWay | None = None,
    contested: tuple[str, ...] = (),
) -> Decision:
    """`approved` None: this very plan. `drift` None: a change."""
    return decide(
        current,
        policy,
        drift_policy=drift or DriftPolicy.ENFORCE,
        was_ready_at_generation=drift is not None,
        approved=(current.hash,) if approved is None else approved,
        observe_only=False,
        paused=False,
        read_only=False,
        creating=creating,
        contested=contested,
        under_way=under_way,
    )


def planned(want: Desired, have: Observed | None, version: str | Capabilities = "v2.6.9") -> Plan:
    able = version if isinstance(version, Capabilities) else capabilities(version)
    return plan(want, have, able, generations=Generations(known_id=have.id if have else None))


def performed(want: Desired, have: Observed | None, version: str = "v2.6.9") -> tuple[Observed, list[Act]]:
    """Everything that may be done, approved, call after call."""
    able = capabilities(version)
    decision = decided(planned(want, have, able))
    done: list[Act] = []
    while (act := next_act(decision, have)) is not None:
        have = stamped(apply(have, act, able), want) if isinstance(act, CreateCollection) else apply(have, act, able)
        done.append(act)
        assert len(done) < 300, done[-10:]
        if isinstance(act, CreateCollection):
            decision = decided(planned(want, have, able), creating=True)
    assert have is not None
    return have, done


def stamped(have: Observed, want: Desired) -> Observed:
    """What the caller of CreateCollection adds."""
    marks = stamp(OWNER, uid="1", identities=want.identities)
    return have.with_schema(dataclasses.replace(have.schema, properties={**have.schema.properties, **marks}))


def standing(want: Desired) -> Observed:
    """The collection as it is after its creation by the newest server."""
    have, _ = performed(want, None, "v3.0.0")
    return have
