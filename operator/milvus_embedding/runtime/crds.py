"""Waits until the API server serves our kinds: a kind that is absent at start would never be watched."""

import asyncio
import logging
from collections.abc import Callable

from milvus_embedding.api.metadata import GROUP, VERSION
from milvus_embedding.clients.kube.port import OUR_TYPES, Kube, KubeError

_log = logging.getLogger(__name__)

_POLL = 1.0
_SAY_EVERY = 10.0


async def missing(kube: Kube) -> tuple[str, ...]:
    """The plural names of our kinds that are not served, sorted. Raises KubeError."""
    served = await kube.served(GROUP, VERSION)
    return tuple(sorted({type_.plural for type_ in OUR_TYPES.values()} - served))


async def wait_until_served(kube: Kube, *, clock: Callable[[], float]) -> None:
    """Returns when all are served; says every ten seconds what is missing and how to get it."""
    said: float | None = None
    while problem := await _problem(kube):
        if said is None or clock() - said >= _SAY_EVERY:
            said = clock()
            _log.warning(problem)
        await asyncio.sleep(_POLL)


async def _problem(kube: Kube) -> str:
    try:
        absent = await missing(kube)
    except KubeError as error:
        return f"waiting for the API server: {error}"
    if not absent:
        return ""
    names = ", ".join(f"{plural}.{GROUP}" for plural in absent)
    return f"waiting for CustomResourceDefinitions that are not installed: {names}; apply crds/ or install the chart"
