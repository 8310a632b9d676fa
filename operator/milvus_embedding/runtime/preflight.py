"""Asks the API server what the operator may do, before and while it runs.

A namespace in which something is missing is left out, with one sentence per missing permission; the others are served.
Nothing is decided on an answer that could not be had.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from milvus_embedding.clients.kube.port import NAMESPACES, OUR_TYPES, SECRETS, Access, Kube, KubeError

_log = logging.getLogger(__name__)

CONFIRM_SECONDS = 3.0
"""An API server that just started knows no Role for a moment, and forbids everything: a no is asked for twice."""

_IDLE_SECONDS = 5.0
"""Between two tries while nothing can be served: who is granted the Role waits for it."""

_AT_ONCE = 8

_BY_NAME_ONLY: Final = "of namespaces a grant by Selector sees the label kubernetes.io/metadata.name only"

Scope = str | None


LABELS_OF_NAMESPACES: Final = (Access("list", NAMESPACES, None), Access("watch", NAMESPACES, None))
"""What grants by selector need. Nothing else does, so the operator serves without it."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What is missing by scope (a namespace, or None for all); a scope without an entry has all it needs."""

    missing: Mapping[Scope, tuple[Access, ...]]

    def permitted(self, scopes: Sequence[Scope]) -> tuple[Scope, ...]:
        """The scopes that can be served."""
        return tuple(scope for scope in scopes if scope not in self.missing)


def watched(scope: Scope) -> tuple[Access, ...]:
    """What the watches of a scope need."""
    types = (*OUR_TYPES.values(), SECRETS)
    return tuple(Access(verb, type_, scope) for type_ in types for verb in ("list", "watch"))


def needed(scope: Scope) -> tuple[Access, ...]:
    """All that serving a scope needs."""
    writes = tuple(Access("patch", type_, scope, "status") for type_ in OUR_TYPES.values())
    return (*watched(scope), Access("get", SECRETS, scope), *writes)


async def review(kube: Kube, accesses: Sequence[Access]) -> Permissions:
    """Asks for each. Raises KubeError if an answer cannot be had."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(access: Access) -> bool:
        async with gate:
            return await kube.is_allowed(access)

    answers = await asyncio.gather(*(ask(access) for access in accesses))
    missing: dict[Scope, tuple[Access, ...]] = {}
    for access, allowed in zip(accesses, answers, strict=True):
        if not allowed:
            missing[access.namespace] = (*missing.get(access.namespace, ()), access)
    return Permissions(missing)


class Preflight:
    """Asks for all that serving needs, and says what is missing once, until something else is."""

    def __init__(self, kube: Kube, scopes: Sequence[Scope], *, every: float, confirm: float = CONFIRM_SECONDS) -> None:
        """Seconds: `every` is the longest time between two tries, `confirm` that before a no is believed."""
        self._kube = kube
        self._scopes = scopes
        self._every = every
        self._confirm = confirm
        self._said: frozenset[Access] = frozenset()

    async def wait(self) -> tuple[Scope, ...]:
        """Returns the scopes that can be served, as soon as there is one."""
        while True:
            try:
                if permitted := await self.look():
                    return permitted
                await asyncio.sleep(min(self._every, _IDLE_SECONDS))
            except KubeError as error:
                _log.warning("the operator's permissions cannot be checked: %s", error)
                await asyncio.sleep(min(self._every, 2.0))

    async def look(self) -> tuple[Scope, ...]:
        """The scopes that can be served now. Raises KubeError."""
        permissions = await self._review()
        if permissions.missing:
            await asyncio.sleep(self._confirm)
            permissions = await self._review()
        absent = frozenset(access for missing in permissions.missing.values() for access in missing)
        if absent != self._said:
            self._said = absent
            for sentence in describe(permissions):
                _log.error("not served: %s", sentence)
        return permissions.permitted(self._scopes)

    async def sees_namespaces(self) -> bool:
        """Whether labels of namespaces can be had: all namespaces are served, and it is permitted. Says so if not."""
        if None not in self._scopes:
            _log.info("%s: only some namespaces are served", _BY_NAME_ONLY)
            return False
        while True:
            try:
                missing = (await review(self._kube, LABELS_OF_NAMESPACES)).missing
                if missing:
                    await asyncio.sleep(self._confirm)
                    missing = (await review(self._kube, LABELS_OF_NAMESPACES)).missing
            except KubeError as error:
                _log.warning("the operator's permissions cannot be checked: %s", error)
                await asyncio.sleep(min(self._every, 2.0))
            else:
                break
        for sentence in describe(Permissions(missing)):
            _log.info("%s: %s", _BY_NAME_ONLY, sentence)
        return not missing

    async def _review(self) -> Permissions:
        return await review(self._kube, [access for scope in self._scopes for access in needed(scope)])


def describe(permissions: Permissions) -> list[str]:
    """One sentence per scope that names the missing verbs and resources."""
    return [_sentence(scope, missing) for scope, missing in permissions.missing.items()]


def _sentence(scope: Scope, missing: Sequence[Access]) -> str:
    verbs: dict[str, list[str]] = {}
    for access in missing:
        verbs.setdefault(access.resource, []).append(access.verb)
    what = "; ".join(f"{', '.join(verbs[resource])} {resource}" for resource in sorted(verbs))
    where = f"namespace {scope}" if scope else "all namespaces"
    return f"the operator may not {what} in {where}; its Role has to allow it"
