"""Sees that every watch is there, and tells when the process has to end because one is not.

kopf can survive the death of its watchers as a process that handles nothing. It offers no way to ask, so this looks at
the names of its tasks; a contract test pins those names to the version of kopf in use.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from milvus_embedding.clients.kube.port import NAMESPACES, OUR_TYPES, SECRETS, Kube, KubeError
from milvus_embedding.runtime.preflight import (
    CONFIRM_SECONDS,
    LABELS_OF_NAMESPACES,
    Permissions,
    Scope,
    describe,
    needed,
    review,
    watched,
)

_log = logging.getLogger(__name__)

STOP_CHECKER: Final = "stop-flag checker"
"""kopf's task that ends first when it is told to stop."""

_PREFIX: Final = "watcher for "
_START_SECONDS: Final = 60.0
_TICK: Final = 1.0
_STOP_SECONDS: Final = 10.0


def watcher_name(plural: str, version: str, group: str, scope: Scope) -> str:
    """The name of kopf's task that watches a kind in a namespace (None: in all)."""
    resource = f"{plural}.{version}.{group}" if group else f"{plural}.{version}"
    return f"{_PREFIX}{resource}@{scope}"


def expected_watchers(scopes: Sequence[Scope], *, namespaces: bool = False) -> frozenset[str]:
    """The names of all watchers that there have to be. `namespaces`: that of Namespaces is one of them."""
    return frozenset(_watchers(scopes, namespaces=namespaces))


def _watchers(scopes: Sequence[Scope], *, namespaces: bool) -> dict[str, str]:
    """The kind that each watcher watches, by the watcher's name."""
    types = [(type_, scope) for type_ in (*OUR_TYPES.values(), SECRETS) for scope in scopes]
    types += [(NAMESPACES, None)] if namespaces else []
    return {watcher_name(t.plural, t.version, t.group, scope): t.kind for t, scope in types}


class Supervisor:
    """on_dead: called once, with one sentence, when a watcher is gone or never came."""

    def __init__(
        self,
        scopes: Sequence[Scope],
        *,
        clock: Callable[[], float],
        on_dead: Callable[[str], None],
        namespaces: bool = False,
        tasks: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        self._kinds = _watchers(scopes, namespaces=namespaces)
        self._expected = frozenset(self._kinds)
        self._clock = clock
        self._on_dead = on_dead
        self._tasks = tasks or _task_names
        self._began = clock()
        self._seen: frozenset[str] = frozenset()
        self._checker_seen = False
        self._stopping = False
        self._absent = self._expected
        self._heard: dict[str, float] = {}

    @property
    def problem(self) -> str:
        """One sentence if watchers are missing now, else ""."""
        return f"watches are missing: {', '.join(sorted(self._absent))}" if self._absent else ""

    def living(self) -> list[tuple[str, float]]:
        """Each kind and whether all of its watches are there (1 or 0). Any thread."""
        absent = {self._kinds[name] for name in self._absent}
        return [(kind, float(kind not in absent)) for kind in sorted(set(self._kinds.values()))]

    def heard(self, kind: str) -> None:
        """A watch of the kind told of something. That one is silent proves nothing: perhaps nothing happens."""
        self._heard[kind] = self._clock()

    def silence(self) -> list[tuple[str, float]]:
        """Each kind that was heard of, and for how many seconds not any more. Any thread."""
        now = self._clock()
        return [(kind, now - at) for kind, at in list(self._heard.items())]

    async def run(self) -> None:
        """Looks every second until a watcher is dead or kopf stops."""
        while self.look():  # noqa: ASYNC110 - tasks of kopf end without telling anyone
            await asyncio.sleep(_TICK)
        if self.stopping:
            # Whoever cancels this at a normal end does so long before.
            await asyncio.sleep(_STOP_SECONDS)
            self._on_dead(f"kopf did not end within {_STOP_SECONDS:.0f} s")

    @property
    def stopping(self) -> bool:
        """Whether kopf was told to stop."""
        return self._stopping

    def look(self) -> bool:
        """One look; False when there is nothing more to supervise."""
        names = frozenset(self._tasks())
        if STOP_CHECKER in names:
            self._checker_seen = True
        elif self._checker_seen:
            self._stopping = True
            return False
        self._seen |= names & self._expected
        self._absent = self._expected - names
        late = self._clock() - self._began > _START_SECONDS
        dead = self._absent if late else self._seen - names
        if dead:
            self._on_dead(f"watches ended: {', '.join(sorted(dead))}")
            return False
        return True


def _task_names() -> Iterable[str]:
    return (task.get_name() for task in asyncio.all_tasks())


class PermissionWatch:
    """Asks again what the operator may do. Both callbacks get one sentence.

    A permission withdrawn shows on an open watch only when it reconnects, and then for minutes as retries. on_lost: a
    namespace that is served lost one. on_gained: one that was left out has all now. namespaces: whether Namespaces are
    watched, which they are wherever all are served and it is permitted.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        served: Sequence[Scope],
        left_out: Sequence[Scope],
        every: float,
        on_lost: Callable[[str], None],
        on_gained: Callable[[str], None],
        namespaces: bool = False,
        confirm: float = CONFIRM_SECONDS,
    ) -> None:
        self._kube = kube
        self._served = served
        self._left_out = left_out
        self._every = every
        self._on_lost = on_lost
        self._on_gained = on_gained
        self._namespaces = namespaces
        self._confirm = confirm

    async def run(self) -> None:
        """Asks until something changed."""
        while True:
            await asyncio.sleep(self._every)
            try:
                if await self.look():
                    return
            except KubeError as error:
                _log.debug("the operator's permissions could not be checked: %s", error)

    async def look(self) -> bool:
        """One look; whether a callback was called. Raises KubeError."""
        lost = await self._missing()
        if lost.missing:
            await asyncio.sleep(self._confirm)
            lost = await self._missing()
        if lost.missing:
            self._on_lost(f"a permission was withdrawn: {' '.join(describe(lost))}")
            return True
        permissions = await review(self._kube, [access for scope in self._left_out for access in needed(scope)])
        gained = permissions.permitted(self._left_out)
        if gained:
            self._on_gained(f"can be served now: {', '.join(str(scope) for scope in gained)}")
            return True
        if None in self._served and not self._namespaces and await self._sees_namespaces():
            self._on_gained("the labels of namespaces can be read now")
            return True
        return False

    async def _missing(self) -> Permissions:
        labels = LABELS_OF_NAMESPACES if self._namespaces else ()
        return await review(self._kube, [*labels, *(access for scope in self._served for access in watched(scope))])

    async def _sees_namespaces(self) -> bool:
        return not (await review(self._kube, LABELS_OF_NAMESPACES)).missing
