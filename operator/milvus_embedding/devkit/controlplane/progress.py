"""Honest words about long builds: how long so far, how long in all.

Pure: the estimate is the measured time on 2 cores, scaled to this machine's. It is an estimate and says so ("about").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milvus_embedding.devkit.controlplane.binaries import RECIPES, Binary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MEASURED_CORES: Final = 2
USEFUL_CORES: Final = 8
"""More cores than this hardly help: linking and a few large packages run alone."""


def duration_text(seconds: float) -> str:
    """Seconds as people say them: `45 s`, `1 min 30 s`, `5 min`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def estimates(binaries: Iterable[Binary], *, cores: int) -> Mapping[Binary, float]:
    """Seconds that building each of them will take, in build order, on so many cores."""
    wanted = frozenset(binaries)
    factor = MEASURED_CORES / max(1, min(cores, USEFUL_CORES))
    begun: set[str] = set()
    result: dict[Binary, float] = {}
    for binary, recipe in RECIPES.items():
        if binary in wanted:
            seconds = recipe.warm_seconds if recipe.module in begun else recipe.cold_seconds
            result[binary] = seconds * factor
            begun.add(recipe.module)
    return result


def plan_line(estimate: Mapping[Binary, float], *, cores: int) -> str:
    """What is about to be built and how long all of it takes."""
    names = ", ".join(estimate)
    total = _rough(sum(estimate.values()))
    return f"building {names} from source, once: about {total} on {_cores(cores)}"


def progress_line(binary: Binary, *, elapsed: float, estimate: float, cores: int) -> str:
    """One line while a build runs; admits it when the estimate has turned out too low."""
    so_far = duration_text(elapsed)
    if elapsed > estimate:
        return f"building {binary}: {so_far}, longer than the {_rough(estimate)} expected on {_cores(cores)}"
    return f"building {binary}: {so_far} of about {_rough(estimate)} on {_cores(cores)}"


def _rough(seconds: float) -> str:
    """Rounded up to what an estimate can claim: ten seconds, from two minutes on whole minutes."""
    step = 60 if seconds > 120 else 10
    return duration_text(-(-seconds // step) * step)


def _cores(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores} cores"
