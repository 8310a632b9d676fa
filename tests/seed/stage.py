"""The manual's page on a stage: examples/quickstart applied by the controllers, with Milvus and DashScope in process.

What a cluster does beside the operator is done here: the rendered Secret is mounted where Milvus reads it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml
from pymilvus import MilvusClient

from milvus_embedding.clients.milvus.adapter import PymilvusClient
from milvus_embedding.clients.milvus.target import Target
from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from milvus_embedding.domain.scrub import Scrubber
from tests.unit.controllers.bench import Bench

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
KEYS = {"dashscope-dev": "sk-dev-0123456789abcdef", "dashscope-prod": "sk-prod-fedcba9876543210"}
DEV_KEY, PROD_KEY = KEYS.values()
Body = dict[str, object]


def quickstart() -> dict[str, Body]:
    """The manifests of examples/quickstart by "Kind name"."""
    found: dict[str, Body] = {}
    for path in sorted(QUICKSTART.glob("*.yaml")):
        for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if body["kind"] not in ("Kustomization", "Namespace"):
                found[f"{body['kind']} {body['metadata']['name']}"] = body
    return found


def part(body: Mapping[str, object], *names: str | int) -> Body:
    """The mapping at that path, to be read or changed."""
    value: object = body
    for name in names:
        value = value[name] if isinstance(value, list) else cast("Body", value)[str(name)]  # type: ignore[index]
    return cast("Body", value)


class SeedBench(Bench):
    """A bench whose pauses are real, because the Milvus is."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Stage:
    """`manifests` are what will be applied, free to be changed before `play`."""

    milvus: EmbeddedMilvus
    dashscope: DashScopeStandIn
    bench: Bench
    manifests: dict[str, Body] = field(default_factory=quickstart)

    @property
    def connection(self) -> Body:
        return part(self.manifests["MilvusConnection milvus"], "spec")

    @property
    def collection(self) -> Body:
        return part(self.manifests["MilvusCollection docs"], "spec")

    @property
    def model(self) -> Body:
        """Model, dim and credential of the function, in the collection or in an EmbeddingFunction."""
        declared = part(self.collection, "functions", 0, "textEmbedding")
        if "functionRef" not in declared:
            return part(declared, "dashscope")
        name = part(declared, "functionRef")["name"]
        return part(self.manifests[f"EmbeddingFunction {name}"], "spec", "dashscope")

    async def play(self) -> None:
        """kubectl apply, the operator, and the mount, until nothing changes."""
        self.apply()
        await self.bench.settle()
        self.mount()
        self.bench.clock.advance(60)
        await self.bench.settle()

    def apply(self) -> None:
        self.connection["uri"] = self.milvus.uri
        part(self.connection, "embedding", "dashscope").setdefault("url", self.dashscope.url)
        for body in self.manifests.values():
            if body["kind"] == "Secret":
                name = str(part(body, "metadata")["name"])
                self.bench.secret(name, apikey=KEYS[name])
            else:
                self.bench.apply(body)

    def mount(self) -> None:
        """The Secret's embedding.yaml as user.yaml; of an Environment delivery the variables, for the next start."""
        rendered = self.bench.config()
        rendered.pop("state.json")
        (self.milvus.config_dir / "user.yaml").write_text(rendered.pop("embedding.yaml", ""), encoding="utf-8")
        self.milvus.environment = rendered

    @contextmanager
    def client(self) -> Iterator[MilvusClient]:
        """A user of Milvus, as on the page."""
        # pymilvus logs every refused call with a traceback.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        client = MilvusClient(uri=self.milvus.uri, dedicated=True, timeout=20)
        try:
            yield client
        finally:
            client.close()


Open = Callable[[], Stage]


def adapter(milvus: EmbeddedMilvus) -> PymilvusClient:
    return PymilvusClient(Target(uri=milvus.uri, timeout_seconds=20), scrubber=Scrubber())
