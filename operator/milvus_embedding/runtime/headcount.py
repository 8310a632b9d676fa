"""Notices within seconds that the cache holds another number of objects than the API server.

A watch that has to list anew tells of what it finds, never of what is gone: of a kind whose last object went meanwhile
nothing is heard at all, and no audit is asked for. So the objects of each kind are counted every few seconds, by a
list of one. This only asks for audits: what differs, and what to do about it, is their matter.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milvus_embedding.clients.kube.port import SECRETS, ApiServer, KubeError
from milvus_embedding.runtime.audit import AUDITED, audited
from milvus_embedding.runtime.store import Store

_log = logging.getLogger(__name__)

AGAIN: Final = 2.0
"""Seconds until a difference is looked at again: a watch is always a moment late."""

PATIENCE: Final = 5
"""So many looks in a row may differ, each by another number, before that is taken for more than much going on."""

_PER_SECOND: Final = 10.0
"""With many namespaces the looks are rarer instead of more."""

Place = tuple[str, str | None]
"""A kind and a scope."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How many more objects (or fewer) the API server has than the cache; and how many looks in a row differed."""

    number: int
    looks: int = 1


class HeadCount:
    """on_differs: called with a kind that should be audited now. namespaces: whether Namespaces are watched."""

    def __init__(
        self,
        kube: ApiServer,
        store: Store,
        *,
        scopes: Sequence[str | None],
        secret_selector: str,
        every: float,
        on_differs: Callable[[str], None],
        namespaces: bool = False,
    ) -> None:
        self._kube = kube
        self._store = store
        self._secret_selector = secret_selector
        self._places: Sequence[Place] = [(kind, scope) for kind in audited(namespaces=namespaces) for scope in scopes]
        self._every = max(every, len(self._places) / _PER_SECOND)
        self._on_differs = on_differs
        self._told: dict[Place, int] = {}
        self._counted: dict[Place, int] = {}

    def unseen(self) -> list[tuple[str, float]]:
        """By kind: by how many objects cache and API server differed at the last looks. Any thread."""
        kinds: dict[str, float] = {}
        for (kind, _), number in list(self._counted.items()):
            kinds[kind] = kinds.get(kind, 0.0) + abs(number)
        return list(kinds.items())

    async def run(self) -> None:
        """Looks until cancelled."""
        suspects: Mapping[Place, Difference] = {}
        while True:
            await asyncio.sleep(AGAIN if suspects else self._every)
            suspects = await self.look(suspects)

    async def look(self, suspects: Mapping[Place, Difference]) -> Mapping[Place, Difference]:
        """Counts again what is suspect, or everything; returns what has to be counted again soon."""
        found: dict[Place, Difference] = {}
        for place in suspects or self._places:
            try:
                number = await self._difference(*place)
            except KubeError as error:
                _log.debug("the objects could not be counted: %s", error)
                continue
            self._counted[place] = number
            if suspect := self._judge(place, number, suspects.get(place)):
                found[place] = suspect
        return found

    def _judge(self, place: Place, number: int, before: Difference | None) -> Difference | None:
        """What remains to be looked at again. A difference that an audit left standing is not told twice."""
        if number == 0:
            self._told.pop(place, None)
            return None
        if self._told.get(place) == number:
            return None
        looks = before.looks + 1 if before else 1
        if before is not None and (before.number == number or looks >= PATIENCE):
            self._told[place] = number
            _log.info("%s: %+d objects that no watch told of", place[0], number)
            self._on_differs(place[0])
            return None
        return Difference(number, looks)

    async def _difference(self, kind: str, scope: str | None) -> int:
        type_ = AUDITED[kind]
        selector = self._secret_selector if type_ is SECRETS else ""
        there = await self._kube.count(type_, scope, selector=selector)
        # With a selector the server counts no further than one object: then the periodic audit has to do.
        return 0 if there is None else there - self._known(kind, scope)

    def _known(self, kind: str, scope: str | None) -> int:
        return sum(1 for key in self._store.known(kind) if scope in (None, key.namespace))
