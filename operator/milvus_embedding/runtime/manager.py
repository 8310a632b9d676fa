"""One reconcile, from the cached object to the status written: the loop body of the operator.

Knows no kind, no Milvus and no kopf. A status is written once, at the end, only when it says something new, and always
with the resourceVersion that it was decided on. Controllers' errors never get out of here.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import OUR_TYPES, Kube, KubeError, NotFound
from milvus_embedding.controllers.base import Conflict, Controller, Note, Outcome, Stale
from milvus_embedding.domain.conditions import Assertion, Draft, Truth, false, find, merge, merge_patch, with_summary
from milvus_embedding.domain.reasons import Reason, ReasonClass
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.cache import Entry
from milvus_embedding.runtime.metrics import Metrics
from milvus_embedding.runtime.queue import Priority
from milvus_embedding.runtime.recorder import EventSink, Subject
from milvus_embedding.runtime.store import Store
from milvus_embedding.runtime.tracing import NO_SPANS, Spans
from milvus_embedding.runtime.world import ReconcileWorld

_log = logging.getLogger(__name__)

_RESYNC_JITTER: Final = 0.1
_LONGEST_MESSAGE: Final = 1024
_CONFLICTS_AT_ONCE: Final = 5
_SUMMARY: Final = ("Ready", "Reconciling", "Stalled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`timeout` bounds a reconcile, `resync` is between two looks at an object that nothing woke; both in seconds."""

    timeout: float = 600.0
    resync: float = 600.0


class Manager:
    """Reconciles keys that the dispatcher hands to `work`."""

    def __init__(
        self,
        *,
        store: Store,
        kube: Kube,
        controllers: Mapping[str, Controller[Any]],
        events: EventSink,
        metrics: Metrics,
        scrubber: Scrubber,
        pace: Pace,
        now: Callable[[], datetime],
        random: Callable[[], float],
        lease_remaining: Callable[[], float] = lambda: float("inf"),
        read_only: bool = False,
        spans: Spans = NO_SPANS,
    ) -> None:
        self._store = store
        self._kube = kube
        self._controllers = controllers
        self._events = events
        self._metrics = metrics
        self._scrubber = scrubber
        self._pace = pace
        self._now = now
        self._random = random
        self._lease_remaining = lease_remaining
        self._read_only = read_only
        self._spans = spans
        self._conflicts: dict[Key, int] = {}

    async def work(self, key: Key) -> None:
        """Reconciles one key. Never raises but for cancellation."""
        entry = self._store.cache.get(key)
        if entry is None:
            await self._forget(key)
            return
        with self._metrics.reconcile(key.kind) as measured, self._spans.reconcile(key, measured):
            try:
                measured.outcome = await self._reconcile(key, entry)
                self._conflicts.pop(key, None)
            except (Conflict, Stale):
                measured.outcome = "conflict"
                await self._conflict(key)
            except KubeError as error:
                measured.outcome = "api_error"
                self._metrics.api_error(type(error).__name__)
                _log.warning("the API server failed a reconcile: %s", error, extra={"key": str(key)})
                self._retry(key)

    async def _reconcile(self, key: Key, entry: Entry) -> str:
        if entry.resource is None:
            outcome = _unreadable(entry)
        else:
            outcome = await self._decide(key, entry, entry.resource)
        # Before the write: its echo may arrive before its answer.
        self._store.cache.finished(key, entry)
        try:
            await self._write(key, entry, outcome)
        except BaseException:
            self._store.cache.unfinished(key)
            raise
        return self._schedule(key, outcome)

    async def _decide(self, key: Key, entry: Entry, resource: Resource) -> Outcome:
        world = ReconcileWorld(
            reader=key,
            now=self._now(),
            cache=self._store.cache,
            references=self._store.references,
            used_by=self._store.usage.used_by,
            kube=self._kube,
            namespaces=self._store.namespaces,
            lease_remaining=self._lease_remaining,
            saw=lambda body: self._store.observe(key.kind, body, watched=False),
            read_only=self._read_only,
        )
        try:
            async with asyncio.timeout(self._pace.timeout):
                outcome = await self._controllers[key.kind].reconcile(resource, world)
        except (Conflict, Stale, KubeError):
            raise
        except Exception as error:
            _log.exception("a reconcile failed unexpectedly", extra={"key": str(key)})
            return _internal_error(entry, error, self._pace.timeout)
        self._store.references.replace(key, world.reads)
        return outcome

    async def _write(self, key: Key, entry: Entry, outcome: Outcome) -> None:
        subject = Subject(key, entry.uid)
        if outcome.status is not None:
            status = merge(entry.status, self._clean(outcome.status), self._now())
            if status is not None:
                body = await self._patch(key, entry, merge_patch(entry.status, status))
                self._metrics.status_written(key.kind)
                self._store.observe(key.kind, body, watched=False)
                if not outcome.quiet:
                    self._announce(subject, entry.status, status)
        for note in outcome.notes:
            self._events.record(subject, self._clean_note(note))

    async def _patch(self, key: Key, entry: Entry, status: Mapping[str, object]) -> Mapping[str, object]:
        metadata = {"resourceVersion": entry.metadata.resource_version, "uid": entry.uid}
        patch = {"metadata": metadata, "status": status}
        try:
            return await self._kube.patch_status(OUR_TYPES[key.kind], key.namespace, key.name, patch)
        except NotFound:
            raise Conflict(f"{key} is gone") from None

    def _announce(self, subject: Subject, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        old, new = find(before, "Ready"), find(after, "Ready")
        if new is None or (old is not None and all(old.get(f) == new.get(f) for f in ("status", "reason"))):
            return
        note = Note(str(new.get("reason")), str(new.get("message")), warning=_worth_a_look(old, new))
        self._events.record(subject, note)

    def _schedule(self, key: Key, outcome: Outcome) -> str:
        self._store.wake_known(outcome.wake)
        if outcome.backoff:
            self._metrics.retried(key.kind)
            delay = self._store.queue.fail(key, outcome.requeue_after)
            self._store.wake(key, delay=delay, priority=Priority.RESYNC)
            return "backoff"
        self._store.queue.forget(key)
        if outcome.requeue_after is not None:
            self._store.wake(key, delay=outcome.requeue_after)
            return "requeue_after"
        jitter = 1 - _RESYNC_JITTER + 2 * _RESYNC_JITTER * self._random()
        self._store.wake(key, delay=self._pace.resync * jitter, priority=Priority.RESYNC)
        return "success"

    async def _conflict(self, key: Key) -> None:
        """Decided on an old version: see the present one and do it again at once, but not in a tight loop."""
        count = self._conflicts[key] = self._conflicts.get(key, 0) + 1
        try:
            body = await self._kube.get(OUR_TYPES[key.kind], key.namespace, key.name)
        except NotFound:
            self._store.vanish(key)
            return
        except KubeError:
            self._retry(key)
            return
        self._store.observe(key.kind, body, watched=False)
        if count <= _CONFLICTS_AT_ONCE:
            self._store.wake(key)
        else:
            self._retry(key)

    def _retry(self, key: Key) -> None:
        self._metrics.retried(key.kind)
        self._store.wake(key, delay=self._store.queue.fail(key), priority=Priority.RESYNC)

    async def _forget(self, key: Key) -> None:
        self._store.references.drop(key)
        self._store.queue.drop(key)
        self._conflicts.pop(key, None)
        try:
            await self._controllers[key.kind].forget(key)
        except Exception:
            _log.exception("forgetting an object failed unexpectedly", extra={"key": str(key)})

    def _clean(self, draft: Draft) -> Draft:
        """All text passes the scrubber here once more, whatever the controller did."""
        conditions = tuple(
            type(a)(a.type, a.status, a.reason, self._scrubber.clean(a.message)) for a in draft.conditions
        )
        return Draft(draft.generation, conditions, {k: self._clean_value(v) for k, v in draft.fields.items()})

    def _clean_value(self, value: object) -> object:
        """What was read back from Milvus may hold anything, also what somebody put into a property there."""
        if isinstance(value, str):
            return self._scrubber.clean(value)
        if isinstance(value, Mapping):
            return {name: self._clean_value(inner) for name, inner in value.items()}
        return [self._clean_value(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    def _clean_note(self, note: Note) -> Note:
        return Note(note.reason, self._scrubber.clean(note.message), warning=note.warning)


def _worth_a_look(old: Mapping[str, object] | None, new: Mapping[str, object]) -> bool:
    """Whether somebody has to act, or what was well is not any more. Waiting on the way up is normal."""
    if new.get("status") == "True":
        return False
    was_well = old is not None and old.get("status") == "True"
    reason = Reason(str(new.get("reason")))  # type: ignore[call-arg]
    return was_well or reason is Reason.INTERNAL_ERROR or reason.kind is ReasonClass.YOURS


def _unreadable(entry: Entry) -> Outcome:
    return Outcome(status=_keeping(entry, false("Ready", Reason.INVALID_SPEC, entry.problem[:_LONGEST_MESSAGE])))


def _internal_error(entry: Entry, error: Exception, timeout: float) -> Outcome:
    """A bug. The text of the exception is in the log alone: nobody checked what it quotes."""
    what = f"a reconcile took more than {timeout:.0f} s" if isinstance(error, TimeoutError) else type(error).__name__
    message = f"internal error ({what}); the operator tries again and its log has the details"
    return Outcome(status=_keeping(entry, false("Ready", Reason.INTERNAL_ERROR, message)), backoff=True)


def _keeping(entry: Entry, ready: Assertion) -> Draft:
    """The status with another Ready: all else stays as it is while nothing better is known."""
    listed = entry.status.get("conditions")
    conditions = [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, list) else []
    kept = [a for c in conditions if c.get("type") not in _SUMMARY and (a := _assertion(c)) is not None]
    fields = {k: v for k, v in entry.status.items() if k not in ("observedGeneration", "conditions")}
    return Draft(entry.generation, with_summary([ready, *kept]), fields)


def _assertion(condition: Mapping[str, object]) -> Assertion | None:
    """A condition as it was asserted; None if this version does not know its reason."""
    try:
        status, reason = Truth(str(condition.get("status"))), Reason(str(condition.get("reason")))  # type: ignore[call-arg]
    except ValueError:
        return None
    return Assertion(str(condition.get("type")), status, reason, str(condition.get("message", "")))
