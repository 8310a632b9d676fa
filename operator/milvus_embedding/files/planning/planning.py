"""Runs the controllers as `apply` does, with parts that change nothing, and gathers what they would do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import SecretFound
from milvus_embedding.controllers.collection.answer import answer
from milvus_embedding.controllers.preview.imagined import ImaginedClients
from milvus_embedding.controllers.preview.previews import Preview, PreviewChanges, PreviewConverge, Previews
from milvus_embedding.domain.planning.deciding import Permission
from milvus_embedding.domain.planning.deciding import Verdict as Judged
from milvus_embedding.domain.planning.steps import Action, shown
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.files.directory import ConfigDirectory
from milvus_embedding.files.kube import FileKube
from milvus_embedding.files.manifests import Manifests, Place
from milvus_embedding.files.planning.configuration import ConfigurationPlan, configuration
from milvus_embedding.files.planning.creation import creation
from milvus_embedding.files.planning.planned import CollectionPlan, Fate, Outcome, Planned, PlannedStep, Trouble
from milvus_embedding.files.planning.prepare import Prepared, prepare
from milvus_embedding.files.session import Options, Result, Session
from milvus_embedding.wiring import Acting

_NO_ANSWER: Final = frozenset({Reason.UNREACHABLE, Reason.AUTHENTICATION_FAILED, Reason.PERMISSION_DENIED})
_UNDER_WAY: Final = frozenset({"", Reason.PROBING})
_FATES: Final = {
    Permission.RUN: Fate.RUNS,
    Permission.MIGRATION: Fate.WAITS,
    Permission.APPROVAL: Fate.WAITS,
    Permission.REPORTED: Fate.WAITS,
    Permission.CONTESTED: Fate.WAITS,
    Permission.NEVER: Fate.REFUSED,
    Permission.UNSUPPORTED: Fate.UNSUPPORTED,
}
_REBUILDS: Final = frozenset({Action.REBUILD, Action.RENAME_COLLECTION})


Folder = tuple[Place, str, ConfigDirectory]


async def plan(
    manifests: Manifests, scrubber: Scrubber, *, options: Options, kept: Folder | None, seconds: float
) -> Planned:
    """`kept`: where an earlier apply keeps what it delivered, None if that is not known. Changes nothing anywhere."""
    prepared, previews = prepare(manifests), Previews()
    kube = FileKube(prepared.manifests, folder=kept)
    before = kept[2].load() or {} if kept is not None else None
    acting = _acting(previews)
    session = Session(kube, scrubber, options=options, acting=acting, is_over=partial(_is_decided, previews))
    results = await session.run(seconds)
    bodies = kube.objects()
    connections = [MilvusConnection.parse(b) for k, b in bodies.items() if k.kind == MilvusConnection.KIND]
    return Planned(
        owner=options.owner,
        configurations=[c for one in connections if (c := await _configuration(one, kube, before, prepared))],
        collections=[
            _collection(result, MilvusCollection.parse(bodies[result.key]), previews)
            for result in results
            if result.key.kind == MilvusCollection.KIND
        ],
        troubles=tuple(_troubles(results)),
    )


def _acting(previews: Previews) -> Acting:
    return Acting(
        clients=lambda clients: ImaginedClients(clients, previews),
        probe=lambda real: _SilentProbe(),
        converge=partial(PreviewConverge, previews),
        changes=partial(PreviewChanges, previews),
    )


class _SilentProbe:
    """A KeyProbe that knows nothing about any key: planning spends nothing."""

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        return ProbeResult(Verdict.UNREACHABLE)


def _is_decided(previews: Previews, results: Sequence[Result]) -> bool:
    """A Milvus that does not answer is not waited for: who asks for a plan wants to know."""
    for result in results:
        if result.key in previews.found or result.is_final or result.reason in _NO_ANSWER:
            continue
        if result.key.kind == MilvusCollection.KIND or result.reason in _UNDER_WAY:
            return False
    return True


async def _configuration(
    connection: MilvusConnection, kube: FileKube, before: Mapping[str, bytes] | None, prepared: Prepared
) -> ConfigurationPlan | None:
    if connection.secret_name is None:
        return None
    rendered = await kube.read_secret(connection.namespace, connection.secret_name)
    owned = ((entry.label, entry.credential) for entry in connection.status.labels)
    owners = {label: f"{ref.namespace}/{ref.name}" for label, ref in owned if ref is not None}
    return configuration(
        f"{connection.namespace}/{connection.name}",
        before=before,
        after=rendered.data if isinstance(rendered, SecretFound) else {},
        owners=owners,
        without_key=frozenset("/".join(place) for place in prepared.without_key),
    )


def _troubles(results: Sequence[Result]) -> Iterator[Trouble]:
    """Of the objects that collections depend on: those that only a change helps, or a Milvus that does not answer."""
    for result in results:
        if result.key.kind == MilvusCollection.KIND or result.is_ready or result.reason == Reason.PAUSED:
            continue
        if result.is_final or result.reason in _NO_ANSWER:
            yield Trouble(str(result.key), result.reason, result.message)


def _collection(result: Result, collection: MilvusCollection, previews: Previews) -> CollectionPlan:
    preview = previews.found.get(result.key)
    connection = _connection_of(collection)
    database, name = collection.spec.database, collection.effective_collection_name
    stamping = previews.stampings.get((connection, database, name))
    common = CollectionPlan(
        namespace=collection.namespace,
        name=collection.name,
        outcome=Outcome.HAND_OVER if stamping is not None else _unplanned(result),
        collection=f"{database}.{name}",
        owner_before=stamping.before if stamping is not None else "",
        owner_after=stamping.after if stamping is not None else "",
    )
    if preview is None:
        if common.outcome in (Outcome.HAND_OVER, Outcome.UNCHANGED):
            return common
        reason, message = result.reason or "Undecided", result.message or "it was not decided within the time given"
        return replace(common, reason=reason, message=message)
    decision, have = preview.decision, preview.have
    return replace(
        common,
        outcome=_outcome(preview, adopts=stamping is not None),
        id=have.id if have is not None else "",
        hash=decision.plan.hash,
        class_=decision.plan.class_,
        steps=tuple(_steps(preview)),
        creates=creation(preview.want) if have is None else (),
        creates_database=database if database in previews.databases.get(connection, set()) else "",
        estimate=preview.estimate,
    )


def _unplanned(result: Result) -> Outcome:
    """Of a collection that no plan was made for."""
    if result.reason == Reason.PAUSED:
        return Outcome.PAUSED
    return Outcome.UNCHANGED if result.is_ready else Outcome.BLOCKED


def _connection_of(collection: MilvusCollection) -> Key:
    return Key(MilvusConnection.KIND, *collection.spec.connection_ref.resolve(collection.namespace))


def _outcome(preview: Preview, *, adopts: bool) -> Outcome:
    if preview.have is None:
        return Outcome.CREATE
    if adopts:
        return Outcome.ADOPT
    return Outcome.CHANGE if preview.decision.plan.steps else Outcome.UNCHANGED


def _steps(preview: Preview) -> Iterator[PlannedStep]:
    if preview.have is None:
        return
    told = answer(preview.decision, is_drift=False) if preview.decision.plan.steps else None
    for judged in preview.decision.verdicts:
        step = judged.step
        why = judged.reason
        if step.action in _REBUILDS and told is not None and told.reason == Reason.REBUILD_NEEDED:
            why = told.message.rpartition("; ")[2]
        yield PlannedStep(
            action=step.action,
            path=step.path,
            class_=step.class_,
            before=shown(step.before),
            after=shown(step.after),
            fate=_fate(judged),
            why=why,
            loses_rows=step.action is Action.DROP_PARTITION,
            rows=preview.rows.get(step.subject) if step.action is Action.DROP_PARTITION else None,
        )


def _fate(judged: Judged) -> Fate:
    """No approval makes a rebuild in this version, so none is asked for."""
    fate = _FATES.get(judged.permission, Fate.HELD)
    is_offered = fate is Fate.WAITS and judged.step.action in _REBUILDS
    return Fate.UNSUPPORTED if is_offered else fate
