"""Tells when Milvus' own configuration wins over what is delivered: a label declared twice, another default key.

Reads the ConfigMaps that the workloads mount as configuration, at most once a minute as long as nothing changes, and
keeps of them what was found, not what they hold. While one cannot be read, what was found before stands.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import SecretFailed, SecretForbidden, SecretFound, World
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.connection.rendering.rendering import Delivery
from milvus_embedding.controllers.connection.rolling.rollout import Rolled
from milvus_embedding.controllers.connection.rolling.targets import Targets
from milvus_embedding.controllers.eligibility import default_label, is_environment
from milvus_embedding.domain.conditions import Truth, false
from milvus_embedding.domain.delivery.config_files import ConfigFile, config_files
from milvus_embedding.domain.delivery.rollout import CONDITION
from milvus_embedding.domain.delivery.shadows import Shadow, environment_shadowed, shadowed
from milvus_embedding.domain.reasons import Reason

FOUND_STANDS_SECONDS = 60.0
LARGEST_FILE = 256 * 1024
SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Question:
    """All that an answer depends on but the files' texts."""

    connection: Key
    files: tuple[ConfigFile, ...]
    variables: tuple[str, ...]
    environment: bool
    ours: str
    labels: tuple[str, ...]
    default: str | None
    url: str | None

    def answer(self, texts: Mapping[str, str]) -> tuple[Shadow, ...]:
        if self.environment:
            return tuple(environment_shadowed(texts, variables=self.variables))
        found = shadowed(
            texts, ours=self.ours, labels=self.labels, default=self.default, url=self.url, variables=self.variables
        )
        return tuple(found)


class Shadowing:
    """`clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[_Question, tuple[float, tuple[Shadow, ...]]] = {}

    async def judge(
        self, rolled: Rolled, connection: MilvusConnection, delivery: Delivery, targets: Targets | None, world: World
    ) -> Rolled:
        """The same, or with a ConfigDelivered that says what wins. What is False already has something else first."""
        if targets is None or not targets.workloads or rolled.condition.status is Truth.FALSE:
            return rolled
        found: dict[Shadow, None] = {}
        for question in _questions(connection, delivery, targets):
            found |= dict.fromkeys(await self._ask(question, world))
        if not found:
            return rolled
        reason = Reason.ENVIRONMENT_SHADOWED if is_environment(connection) else Reason.LABEL_SHADOWED
        text = "; ".join(shadow.sentence for shadow in list(found)[:SHOWN])
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return dataclasses.replace(rolled, condition=false(CONDITION, reason, f"Milvus' configuration: {text}{more}"))

    def forget(self, connection: Key) -> None:
        self._found = {asked: found for asked, found in self._found.items() if asked.connection != connection}

    async def _ask(self, question: _Question, world: World) -> tuple[Shadow, ...]:
        now = self._clock()
        stands = self._found.get(question)
        if stands is not None and now < stands[0]:
            return stands[1]
        texts = await _texts(question, world)
        if texts is None:
            return stands[1] if stands is not None else ()
        # A large file takes its time to parse.
        found = await asyncio.to_thread(question.answer, texts)
        self._found = {asked: known for asked, known in self._found.items() if now < known[0] + FOUND_STANDS_SECONDS}
        self._found[question] = (now + FOUND_STANDS_SECONDS, found)
        return found


def _questions(connection: MilvusConnection, delivery: Delivery, targets: Targets) -> Iterable[_Question]:
    owners = [(label, entry.owner) for label, entry in delivery.memory.items()]
    for workload in targets.workloads:
        containers = workload.template.containers
        yield _Question(
            connection=connection.key,
            files=config_files(workload.template),
            variables=tuple(sorted({variable.name for c in containers for variable in c.variables})),
            environment=is_environment(connection),
            ours=targets.file_names.get(workload.name, ""),
            labels=tuple(sorted(delivery.digests)),
            default=default_label(connection, owners),
            url=provider_url(connection) or None,
        )


async def _texts(question: _Question, world: World) -> Mapping[str, str] | None:
    """None if any of them cannot be read now."""
    texts: dict[str, str] = {}
    for file in question.files:
        match await world.read_config_map(question.connection.namespace, file.config_map):
            case SecretFound(data) if len(data.get(file.key, b"")) <= LARGEST_FILE and file.key in data:
                texts[file.file_name] = data[file.key].decode(errors="replace")
            case SecretForbidden() | SecretFailed():
                return None
    return texts
