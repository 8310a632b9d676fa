"""Proves through Milvus that keys embed, in the background: a pass of the connection only reads answers.

One attempt at a time per connection, since all use one temporary collection. A value that was proven is never asked
about again; one that the provider refused is, ever more seldom: its account may be mended. What hits all labels alike
(Milvus does not answer, a privilege lacks, something has the name) makes the whole connection pause. A creation whose
outcome is unknown may happen until its write horizon has passed: until then it is looked for, and nothing is created.

An answer is about the value that Milvus has. That this is the one that was rendered is for the caller to know.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from milvus_embedding.api.connection import Delivery, MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import Milvus, MilvusError, OutcomeUnknown, Unreachable
from milvus_embedding.controllers.collection.pending import ATTEMPT_SECONDS, ATTEMPTS, MARGIN_SECONDS
from milvus_embedding.controllers.connection.proving import attempt
from milvus_embedding.controllers.connection.proving.desk import Desk, Trial, Unsettled, basis_of
from milvus_embedding.controllers.connection.proving.proofs import (
    PROVEN_MESSAGE,
    InTheWay,
    Proof,
    Verdict,
    concerns_the_key,
    effective,
    judge,
    next_pause,
)
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.domain.canary import Temporary
from milvus_embedding.domain.ownership import Owner

__all__ = ["Canary", "Proof", "Verdict", "effective"]

HORIZON: Final = ATTEMPTS * ATTEMPT_SECONDS + MARGIN_SECONDS
LOOK_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


class Canary:
    """`wake` is called with the connection's key whenever a new answer says something else than the one before, and
    with that of the credential that has read it.

    clock: monotonic, in seconds. accepted_ids: former owner ids whose left-overs are ours too.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        owner_id: str,
        clock: Callable[[], float],
        today: Callable[[], datetime],
        wake: Callable[[Key], None],
        accepted_ids: tuple[str, ...] = (),
    ) -> None:
        self._gateway = gateway
        self._owner_id = owner_id
        self._clock = clock
        self._today = today
        self._wake = wake
        self._accepted_ids = accepted_ids
        self._desks: dict[Key, Desk] = {}
        self._readers: dict[Key, dict[str, Key]] = {}

    def want(self, connection: MilvusConnection, values: Mapping[str, str]) -> None:
        """Begins or goes on to prove these: label -> digest of the value that Milvus has, as far as can be seen.

        Labels that are not among them are let go of. The connection must have been refreshed at the gateway.
        """
        basis = basis_of(connection)
        desk = self._desks.setdefault(connection.key, Desk(connection, basis))
        if desk.basis != basis:
            # Proven was what the former endpoint, or another Milvus, took.
            desk.basis, desk.trials = basis, {}
            desk.answers.clear()
        desk.connection, desk.held = connection, False
        desk.trials = {
            label: desk.trial(label, digest, self._clock())
            for label, digest in values.items()
            if not desk.is_proven(label, digest)
        }
        desk.changed.set()
        if desk.due() is not None and (desk.task is None or desk.task.done()):
            desk.task = asyncio.create_task(self._work(desk))

    def hold(self, connection: Key) -> None:
        """Begins nothing more until the next `want`: paused, unreachable, or not asked for. Answers stay."""
        if (desk := self._desks.get(connection)) is not None:
            desk.held, desk.pause, desk.paused_until = True, 0.0, 0.0
            desk.changed.set()

    def proofs(self, connection: Key) -> Mapping[str, Proof]:
        """By label the newest answer, about whatever value its digest names."""
        desk = self._desks.get(connection)
        return dict(desk.answers) if desk is not None else {}

    def newest(self, connection: Key, label: str, *, reader: Key) -> Proof | None:
        """The newest answer, unless another value is being proven by now; `reader` is woken when it changes."""
        self._readers.setdefault(connection, {})[label] = reader
        desk = self._desks.get(connection)
        return desk.newest(label) if desk is not None else None

    def forget(self, connection: Key) -> None:
        """The connection is gone. What a creation under way leaves behind stays in Milvus, stamped and empty."""
        self._readers.pop(connection, None)
        desk = self._desks.pop(connection, None)
        if desk is not None and desk.task is not None:
            desk.task.cancel()

    def close(self) -> None:
        """Ends all attempts."""
        for connection in list(self._desks):
            self.forget(connection)

    async def _work(self, desk: Desk) -> None:
        while (due := desk.due()) is not None:
            if (delay := due - self._clock()) > 0:
                await desk.wait(delay)
                continue
            try:
                await self._step(desk)
            except (MilvusError, InTheWay) as error:
                self._disturbed(desk, error)
            except Exception as error:
                # Its text may quote anything.
                key = {"key": str(desk.connection.key)}
                _log.error("proving a key failed unexpectedly (%s)", type(error).__name__, extra=key)
                self._disturbed(desk, MilvusError("the attempt failed unexpectedly, see the operator's log"))

    async def _step(self, desk: Desk) -> None:
        """One attempt, or one look, or one clearing away. Raises MilvusError or InTheWay where no key is at fault."""
        milvus = await self._gateway.kept(desk.connection.key)
        if milvus is None:
            raise Unreachable("there is no connection to it yet")
        temporary = self._temporary(desk.connection)
        if desk.unsettled is not None:
            await self._look(desk, desk.unsettled, milvus, temporary)
        elif desk.litter:
            await self._clear(desk, milvus, temporary)
        elif (found := desk.first()) is not None:
            await self._attempt(desk, *found, milvus, temporary)

    async def _clear(self, desk: Desk, milvus: Milvus, temporary: Temporary) -> None:
        try:
            await attempt.clear(milvus, temporary)
        except InTheWay:
            desk.litter = False
            raise
        desk.litter = False

    async def _attempt(self, desk: Desk, label: str, trial: Trial, milvus: Milvus, temporary: Temporary) -> None:
        named = _named(desk.connection, label)
        former_id = await attempt.clear(milvus, temporary)
        try:
            await attempt.create(milvus, temporary, named)
        except OutcomeUnknown:
            now = self._clock()
            desk.unsettled, desk.litter = Unsettled(label, trial, former_id, now + HORIZON), True
            desk.next_look = now + LOOK_PAUSE
            raise
        except MilvusError as error:
            if not concerns_the_key(error):
                raise
            desk.pause = 0.0
            self._failed(desk, label, trial, error)
            return
        desk.litter = True
        await attempt.require_made(milvus, temporary, named)
        self._proven(desk, label, trial)

    async def _look(self, desk: Desk, unsettled: Unsettled, milvus: Milvus, temporary: Temporary) -> None:
        """That it is there now means that Milvus has embedded."""
        desk.next_look = self._clock() + LOOK_PAUSE
        if self._clock() >= unsettled.until:
            desk.unsettled = None
        found = await attempt.ours(milvus, temporary)
        if found is None or found.id == unsettled.former_id:
            return
        desk.unsettled = None
        if attempt.names(found, _named(desk.connection, unsettled.label)):
            self._proven(desk, unsettled.label, unsettled.trial)

    def _proven(self, desk: Desk, label: str, trial: Trial) -> None:
        desk.pause = 0.0
        if desk.trials.get(label) is trial:
            del desk.trials[label]
            self._answer(desk, label, trial, Verdict.PROVEN, PROVEN_MESSAGE)

    def _failed(self, desk: Desk, label: str, trial: Trial, error: MilvusError) -> None:
        """The provider, or that Milvus has no such key: it is about this label."""
        now, (verdict, message) = self._clock(), judge(error)
        if trial.cause != message:
            trial.cause, trial.since, trial.pause = message, now, 0.0
        trial.pause = next_pause(error, former=trial.pause, waited=now - trial.since)
        trial.due = now + trial.pause
        if desk.trials.get(label) is trial:
            self._answer(desk, label, trial, verdict, message)

    def _disturbed(self, desk: Desk, error: MilvusError | InTheWay) -> None:
        """It is about no label in particular: all wait, and are told why."""
        verdict, message = judge(error)
        desk.pause = next_pause(error, former=desk.pause, waited=0.0)
        desk.paused_until = self._clock() + desk.pause
        for label, trial in desk.trials.items():
            self._answer(desk, label, trial, verdict, message, concerns_all=True)

    def _answer(
        self, desk: Desk, label: str, trial: Trial, verdict: Verdict, message: str, *, concerns_all: bool = False
    ) -> None:
        before = desk.answers.get(label)
        proof = Proof(trial.digest, verdict, self._today(), message, concerns_all)
        is_refused = before is not None and before.digest == proof.digest and before.verdict is Verdict.REFUSED
        if is_refused and verdict is Verdict.UNKNOWN:
            return  # what is not known takes nothing back
        desk.answers[label] = proof
        if not proof.says_the_same(before):
            connection = desk.connection.key
            self._wake(connection)
            if (reader := self._readers.get(connection, {}).get(label)) is not None:
                self._wake(reader)

    def _temporary(self, connection: MilvusConnection) -> Temporary:
        return Temporary(
            owner=Owner(self._owner_id, connection.namespace, connection.name),
            uid=connection.metadata.uid,
            accepted_ids=self._accepted_ids,
        )


def _named(connection: MilvusConnection, label: str) -> str | None:
    """What the function names. By variables Milvus gets one key, which has no label there."""
    embedding = connection.spec.embedding
    return None if embedding is not None and embedding.delivery is Delivery.ENVIRONMENT else label
