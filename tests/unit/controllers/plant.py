"""A Milvus of workloads around a Bench: time, the cluster's controllers and the operator take turns."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import KubeError
from milvus_embedding.controllers.base import Conflict, Stale
from milvus_embedding.domain.delivery.workload import Component
from tests.fakes.dashscope import ACCEPTED
from tests.fakes.outside import Killed
from tests.fakes.workloads import Fleet
from tests.unit.controllers import manifests
from tests.unit.controllers.bench import Bench

TURN_SECONDS = 2.0
LONG_TURN_SECONDS = 15.0
LONG_SECONDS = 300.0
SECRET = manifests.CONFIG[1]
PROXY, DATA_NODE, STANDALONE = "my-release-proxy", "my-release-datanode", "my-release-standalone"
SELECTOR = {"matchLabels": {"app.kubernetes.io/instance": "my-release"}}
HASH = "embedding.milvus.io/config-hash"


@dataclass
class Plant:
    """A Bench whose connection rolls. `killed` counts the processes that ended at a call."""

    bench: Bench
    killed: int = 0

    @property
    def fleet(self) -> Fleet:
        return self.bench.world.fleet

    def helm(self, *, secret: str = SECRET, **options: object) -> "Plant":
        """The Deployments of Milvus' chart as a cluster."""
        for name, component in ((PROXY, Component.PROXY), (DATA_NODE, Component.DATA_NODE)):
            self.fleet.add(
                name,
                component,
                namespace="milvus",
                instance="my-release",
                secret=secret,
                **options,  # type: ignore[arg-type]
            )
        return self

    def connection(self, key: Key = manifests.CONNECTION, /, *, embedding: object = None, **rollout: object) -> None:
        """The manual's connection, with workloads to roll; `rollout` as in the spec."""
        with_dev = {"dashscope": {"credentialRef": {"name": "apikey-dev"}}}
        spec = {"workloads": {"selector": SELECTOR}, **rollout}
        given = embedding if isinstance(embedding, dict) else with_dev
        self.bench.apply(manifests.connection(key, embedding={**given, "rollout": spec}))

    def quickstart(self, **rollout: object) -> None:
        """The manual's page, and the connection with workloads to roll."""
        self.bench.quickstart()
        self.connection(**rollout)

    def rotate(self, value: str, name: str = "apikey-dev") -> None:
        """Puts another key into the Secret of a credential."""
        self.bench.key_probe.results[value] = ACCEPTED
        self.bench.secret(name, apikey=value)

    async def run(self, seconds: float) -> None:
        """Turns for so long, longer ones for a long time. A process that ends at a call is followed by a new one."""
        turn = TURN_SECONDS if seconds < LONG_SECONDS else LONG_TURN_SECONDS
        for _ in range(int(seconds / turn)):
            await self.turn(turn)

    async def until(self, true: Callable[[], bool], *, seconds: float = 4000) -> None:
        """Turns until something is so."""
        for _ in range(int(seconds / TURN_SECONDS)):
            if true():
                return
            await self.turn()
        raise AssertionError(f"not within {seconds} s: {self.told()}")

    async def delivered(self) -> None:
        """Turns until all pods have the present configuration, and longer, so that anything more would show."""
        await self.until(lambda: self.is_delivered)
        await self.run(120)

    @property
    def is_delivered(self) -> bool:
        status = self.config
        return self.told()[0] == "True" and status.get("hash") == status.get("deliveredHash")

    @property
    def config(self) -> dict[str, str]:
        found = self.bench.world.status(manifests.CONNECTION).get("config")
        return dict(found) if isinstance(found, dict) else {}

    @property
    def rollout(self) -> dict[str, object]:
        found = self.bench.world.status(manifests.CONNECTION).get("rollout")
        return dict(found) if isinstance(found, dict) else {}

    def rotation(self, key: Key = manifests.DEV) -> dict[str, object]:
        found = self.bench.world.status(key).get("rotation")
        return dict(found) if isinstance(found, dict) else {}

    def told(self, type_: str = "ConfigDelivered") -> tuple[str, str]:
        """Status and reason of a condition of the connection."""
        return self.bench.condition(manifests.CONNECTION, type_)

    def rolls(self, name: str = PROXY) -> int:
        return self.fleet.rolls(name, namespace="milvus")

    def annotate(self, **annotations: str) -> None:
        """Sets annotations of users on the connection; `_` stands for `-`."""
        body = self.bench.world.bodies[manifests.CONNECTION]
        metadata = dict(body["metadata"])  # type: ignore[call-overload]
        named = {f"embedding.milvus.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        metadata["annotations"] = {**metadata.get("annotations", {}), **named}
        self.bench.apply({**body, "metadata": metadata})

    def pause(self, name: str, *, paused: bool = True) -> None:
        self.fleet.change(name, lambda w: dataclasses.replace(w, is_paused=paused), namespace="milvus")

    async def turn(self, seconds: float = TURN_SECONDS) -> None:
        """Every object is reconciled once, then the cluster's controllers act, and time passes."""
        for key in sorted(self.bench.world.bodies):
            try:
                await self.bench.reconcile(key)
            except Killed:
                self.killed += 1
                self.bench.restart()
            except (KubeError, Conflict, Stale):
                # The runtime looks again.
                continue
        self.fleet.step()
        self.bench.clock.advance(seconds)
