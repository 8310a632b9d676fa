"""Puts the parts together: the only place that knows both the controllers and the adapters they work through.

Serves the operator in a cluster and the run from files alike; they differ in the World and in who wakes whom.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.adapter import HttpKeyProbe
from milvus_embedding.clients.dashscope.port import KeyProbe
from milvus_embedding.clients.milvus.port import MilvusClients
from milvus_embedding.clients.milvus.registry import MilvusRegistry
from milvus_embedding.clients.observer import UNOBSERVED, CallObserver
from milvus_embedding.controllers import signals
from milvus_embedding.controllers.base import Controller
from milvus_embedding.controllers.collection.absence import Absences
from milvus_embedding.controllers.collection.changing import Changes
from milvus_embedding.controllers.collection.contests import Contests
from milvus_embedding.controllers.collection.controller import CollectionController
from milvus_embedding.controllers.collection.converge import Converge
from milvus_embedding.controllers.collection.deletion.deletions import Deletions
from milvus_embedding.controllers.collection.losses import Losses
from milvus_embedding.controllers.collection.ownership import Ownership
from milvus_embedding.controllers.collection.patience import Patience
from milvus_embedding.controllers.collection.pending import Pending
from milvus_embedding.controllers.collection.provider_gate import ProviderGate
from milvus_embedding.controllers.connection.controller import ConnectionController
from milvus_embedding.controllers.connection.proving.canary import Canary
from milvus_embedding.controllers.connection.rendering.rendering import Rendering
from milvus_embedding.controllers.connection.rolling.shadowing import Shadowing
from milvus_embedding.controllers.connection.usage import LabelUsage
from milvus_embedding.controllers.credential import CredentialController
from milvus_embedding.controllers.function import FunctionController
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.heartbeat import Heartbeat
from milvus_embedding.controllers.probes import KeyProbes
from milvus_embedding.domain.scrub import Scrubber
from milvus_embedding.runtime.metrics import Metrics, Samples
from milvus_embedding.runtime.run import Services, Wiring


@dataclass(frozen=True, slots=True)
class Product:
    """The controllers by kind, and how to let go of everything they hold."""

    controllers: Mapping[str, Controller[Any]]
    clients: MilvusRegistry[Key]
    heartbeat: Heartbeat
    canary: Canary
    gate: ProviderGate

    async def close(self) -> None:
        """Ends heartbeats, proofs and connections."""
        self.heartbeat.close()
        self.canary.close()
        await self.clients.close()


@dataclass(frozen=True, slots=True)
class Acting:
    """The parts that reach outside. A preview has others in their place."""

    clients: Callable[[MilvusClients], MilvusClients] = lambda clients: clients
    probe: Callable[[KeyProbe], KeyProbe] = lambda probe: probe
    converge: Callable[..., Converge] = Converge
    changes: Callable[..., Changes] = Changes


def build(
    *,
    owner_id: str,
    wake: Callable[[Key], None],
    scrubber: Scrubber,
    accepted_ids: tuple[str, ...] = (),
    allowed_endpoints: tuple[str, ...] = (),
    workers: int = 8,
    read_only: bool = False,
    observer: CallObserver = UNOBSERVED,
    clock: Callable[[], float] = time.monotonic,
    lease_remaining: Callable[[], float] = lambda: math.inf,
    acting: Acting = Acting(),
) -> Product:
    """`wake` queues an object; it is called from the event loop that the controllers run in.

    read_only: nothing is changed in Milvus. observer: told of every call to Milvus and DashScope. lease_remaining: for
    how many seconds nobody else can take over.
    """
    clients: MilvusRegistry[Key] = MilvusRegistry(
        scrubber=scrubber,
        monotonic=clock,
        workers=workers,
        read_only=read_only,
        observer=observer,
        lease_remaining=lease_remaining,
    )
    probe = acting.probe(HttpKeyProbe(allowed_endpoints=allowed_endpoints, observer=observer))
    gateway = Gateway(acting.clients(clients), scrubber, allowed_endpoints=allowed_endpoints)
    probes = _probes(probe, wake, clock)
    heartbeat = Heartbeat(wake=wake)
    usage = LabelUsage(gateway, clock=clock)
    rendering = Rendering(probes=probes, usage=usage, scrubber=scrubber, owner_id=owner_id)
    canary = Canary(gateway, owner_id=owner_id, accepted_ids=accepted_ids, clock=clock, today=_today, wake=wake)
    gate, pending = ProviderGate(clock), Pending(clock)
    converge = acting.converge(gate=gate, pending=pending)
    collections = CollectionController(
        gateway=gateway,
        converge=converge,
        changes=acting.changes(
            converge=converge, gate=gate, pending=Pending(clock), contests=Contests(clock), read_only=read_only
        ),
        pending=pending,
        gate=gate,
        absences=Absences(clock),
        patience=Patience(clock),
        deletions=Deletions(
            gateway=gateway,
            pending=pending,
            clock=clock,
            owner_id=owner_id,
            accepted_ids=accepted_ids,
            read_only=read_only,
        ),
        losses=Losses(clock),
        ownership=Ownership(owner_id=owner_id, accepted_ids=accepted_ids, clock=clock),
    )
    controllers: dict[str, Controller[Any]] = {
        MilvusConnection.KIND: ConnectionController(
            gateway=gateway,
            heartbeat=heartbeat,
            rendering=rendering,
            usage=usage,
            canary=canary,
            shadowing=Shadowing(clock),
        ),
        EmbeddingCredential.KIND: CredentialController(probes=probes, scrubber=scrubber, canary=canary),
        EmbeddingFunction.KIND: FunctionController(),
        MilvusCollection.KIND: collections,
    }
    return Product(controllers, clients, heartbeat, canary, gate)


def _probes(probe: KeyProbe, wake: Callable[[Key], None], clock: Callable[[], float]) -> KeyProbes:
    return KeyProbes(probe, wake=wake, clock=clock, today=_today)


def _today() -> datetime:
    return datetime.now(UTC)


def expose(product: Product, metrics: Metrics) -> None:
    """Shows which Milvus do not answer and what is held back at the provider, as metrics."""

    def breakers() -> Samples:
        closed, opened = product.clients.breakers()
        return [(("closed",), closed), (("open",), opened)]

    def standing(which: int) -> Samples:
        return [((str(reason),), numbers[which]) for reason, numbers in product.gate.standing().items()]

    metrics.gauge("milvus_connections", "Connections in use by state of their breaker", ("breaker",), breakers)
    text = "Credentials and models with which creating is held back, by reason"
    metrics.gauge("provider_circuits_open", text, ("reason",), lambda: standing(0))
    text = "Collections that wait for such a credential and model, by reason"
    metrics.gauge("provider_waiting_objects", text, ("reason",), lambda: standing(1))


async def operator(services: Services) -> Wiring:
    """The wiring of the operator in a cluster, for runtime.run."""
    settings = services.settings
    product = build(
        owner_id=services.owner,
        wake=services.wake,
        scrubber=services.scrubber,
        accepted_ids=settings.accept_owner,
        allowed_endpoints=settings.allow_endpoint,
        workers=settings.workers,
        read_only=settings.read_only,
        observer=services.observer,
        lease_remaining=services.lease_remaining,
    )
    expose(product, services.metrics)
    await product.clients.prepare()
    return Wiring(
        controllers=product.controllers,
        lane=signals.lane,
        family=signals.family,
        workers=partial(signals.workers, collections=settings.workers),
        signal=signals.signal,
        upstream=signals.upstream,
        close=product.close,
    )
