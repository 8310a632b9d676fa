"""A stage on which Milvus runs in pods: it has the configuration with which they were started, and no other."""

from __future__ import annotations

import contextlib
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from tests.e2e import audit, manifests
from tests.e2e.fleet import Fleet
from tests.e2e.kubelet import Kubelet, Started
from tests.e2e.lab import eventually, path_of
from tests.e2e.milvus_operator import MilvusOperator
from tests.e2e.stage import COLLECTION, COLLECTION_NAME, CONNECTION, CREDENTIAL_NAME, SECRET, Stage
from tests.e2e.workloads import DATA_NODE, PROXY, STANDALONE, Mounting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Body, Lab

RENDERED = "milvus-embedding-config"
QUICK = {"debounceSeconds": 1, "settleSeconds": 1, "minIntervalSeconds": 0, "timeoutSeconds": 30}
"""As short as a roll may be set; the defaults are minutes."""


class Delivery(Stage):
    """`fleet` are the workloads of the namespace, `kubelet` starts their pods."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, is_live=False)
        self.fleet = Fleet(lab, self.namespace)
        self.kubelet = Kubelet(lab.api, self.namespace, self._start)

    def __enter__(self) -> Self:
        super().__enter__()
        # The pods go first, then Milvus.
        self._stack.enter_context(self.kubelet)
        self._stack.callback(self._clear)
        return self

    def enter(self, context: contextlib.AbstractContextManager[object]) -> None:
        """Open until this is closed."""
        self._stack.enter_context(context)

    def close(self) -> None:
        self.__exit__()

    @contextlib.contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """Open; and closed again only if what is done inside fails."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self)
            yield
            stack.pop_all()

    # what is applied

    def rolling(self, *, rollout: Body | None = None, embedding: Body | None = None, **spec: Any) -> Body:
        """A connection that rolls the workloads of the fleet."""
        rules = {**QUICK, "workloads": self.fleet.selector, **(rollout or {})}
        return self.connection(embedding={**(embedding or {}), "rollout": rules}, **spec)

    def of_milvus(self, name: str, *, rollout: Body | None = None, **spec: Any) -> Body:
        """A connection to a Milvus resource, which has no address of its own."""
        embedding = {**spec.pop("embedding", {}), "rollout": {**QUICK, **(rollout or {})}}
        body = self.connection(embedding=embedding, milvusRef={"name": name}, **spec)
        del body["spec"]["uri"]
        return body

    def milvus(self, name: str, *, mode: str = "cluster", mounting: Mounting | None = None, **components: Any) -> Body:
        """A Milvus resource whose components that embed mount the rendered Secret, as its owner writes it."""
        mounting = mounting or Mounting(path="/milvus/configs/default.yaml")
        own = {"volumes": mounting.volumes, "volumeMounts": mounting.mounts} if mounting.is_mounted else {}
        fields = ("proxy", "dataNode") if mode == "cluster" else ("standalone",)
        spec = {"mode": mode, "components": {**dict.fromkeys(fields, own), **components}}
        meta = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "milvus.io/v1beta1", "kind": "Milvus", "metadata": meta, "spec": spec}

    def milvus_operator(self) -> MilvusOperator:
        """Not started yet: use it in a with statement."""
        endpoint = self.site.milvus.uri.removeprefix("http://")
        return MilvusOperator(self.lab.api, self.namespace, endpoint)

    @staticmethod
    def variable(name: str) -> Body:
        """A variable of Milvus from the rendered Secret, where it may still be missing."""
        reference = {"name": RENDERED, "key": name, "optional": True}
        return {"name": name, "valueFrom": {"secretKeyRef": reference}}

    def new_credential(self, name: str, **spec: Any) -> list[Body]:
        """Another one with a key of its own that works: its Secret and itself."""
        key = self.lab.new_key(name)
        self.site.dashscope.keys.add(key)
        secret_name = f"key-of-{name}"
        secret = manifests.secret(self.namespace, secret_name, apikey=key)
        return [secret, manifests.credential(self.namespace, name, secret_name=secret_name, **spec)]

    def rotate(self, name: str = SECRET) -> str:
        """Another key that works, in the Secret; returns it. The former one works on."""
        key = self.lab.new_key("rotated")
        self.site.dashscope.keys.add(key)
        self.apply(manifests.secret(self.namespace, name, apikey=key))
        return key

    def bring_up_pods(self, *more: Body, rollout: Body | None = None, **options: Any) -> None:
        """Everything, from the connection to the collection, on Deployments as Milvus' chart makes them. All is applied
        before the first pod runs.
        """
        self.apply(self.rolling(rollout=rollout), self.secret(), self.credential(), self.collection(), *more)
        self.fleet.install(**options)
        self.ready(COLLECTION, within=40)
        self.delivered()

    # what becomes of it

    def delivered(self, *, within: float = 30.0) -> Body:
        """The connection's configuration, once all pods have it."""
        return self.reason(CONNECTION, "Delivered", type_="ConfigDelivered", within=within)

    def rendered_hash(self) -> str:
        value: str = self.status(CONNECTION).get("config", {}).get("hash", "")
        return value

    def rotation(self, name: str = CREDENTIAL_NAME) -> Body:
        value: Body = self.status("EmbeddingCredential", name).get("rotation", {})
        return value

    def wait_rotation(self, name: str = CREDENTIAL_NAME, *, within: float = 30.0, **fields: object) -> Body:
        """status.rotation as soon as it has these."""

        def has() -> Body | None:
            present = self.rotation(name)
            return present if all(present.get(field) == value for field, value in fields.items()) else None

        found: Body = eventually(f"rotation of {name} with {fields}", has, within=within)
        return found

    @contextlib.contextmanager
    def rolled(
        self, times: int, *components: str, others: tuple[str, ...] = (), within: float = 30.0
    ) -> Iterator[None]:
        """What is done inside rolls each of them that often, all that embed unless told, and they come to an end. Of
        `others` nothing is said, and whatever is not named is not rolled.
        """
        before = self.fleet.all_rolls()
        chosen = components or tuple({PROXY, DATA_NODE, STANDALONE} & before.keys())
        yield

        def all_are() -> bool:
            counts = self.fleet.all_rolls()
            more = {component: counts[component] - before.get(component, 0) for component in counts.keys() - others}
            wanted = {component: times if component in chosen else 0 for component in more}
            assert all(more[c] <= wanted[c] for c in more), f"rolled too often: {more}"
            return more == wanted

        eventually(f"{', '.join(chosen)} rolled {times} times", all_are, within=within)
        self.fleet.wait_complete(*chosen)

    def look(self, times: int = 1) -> None:
        """Has the operator look at the connection and its workloads so often as if time had passed."""
        for _ in range(times):
            before = self._looks()
            self.lab.request_reconcile(CONNECTION, self.namespace, "milvus")
            eventually("the workloads were looked at", partial(self._has_looked, before))

    def _has_looked(self, before: int) -> bool:
        return self._looks() > before

    def _looks(self) -> int:
        requests = audit.requests(self.lab.plane.audit_log)
        return sum((r.namespace, r.verb, r.resource) == (self.namespace, "list", "deployments") for r in requests)

    def wait_quiet(self, seconds: float = 3.0, *, within: float = 30.0) -> None:
        """Until the operator has written nothing to this namespace for that long."""
        seen, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            if (written := len(self.writes())) != seen:
                seen, since = written, time.monotonic()
            return time.monotonic() - since >= seconds

        eventually("nothing more is written", quiet, within=within)

    def annotate_connection(self, **annotations: str) -> None:
        """With annotations of ours, whose names are given with _ for -."""
        named = {f"embedding.milvus.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        self.lab.patch(CONNECTION, self.namespace, "milvus", {"metadata": {"annotations": named}})

    def server_side_apply(self, body: Body, *options: str, replace: bool = False) -> None:
        """As another manager than kubectl's own; or, which keeps nothing of anybody's, by kubectl replace."""
        verb = ("replace",) if replace else ("apply", "--server-side", *options)
        self.lab.plane.kubectl(*verb, "-f", "-", input=json.dumps(body))

    def writes(self) -> list[audit.Request]:
        """What the operator wrote to this namespace."""
        return [r for r in audit.changes(self.lab.plane.audit_log) if r.namespace == self.namespace]

    def writes_to_workloads(self) -> list[audit.Request]:
        """Those to what is not its own."""
        return [r for r in self.writes() if r.group in ("apps", "milvus.io") or r.resource == "pods"]

    def embeds(self, collection: str = COLLECTION_NAME) -> None:
        """An application inserts a text and finds it by text: Milvus embeds both."""
        text = f"text {time.time_ns()}"
        with self.site.client() as client:
            client.insert(collection, [{"id": time.time_ns(), "document": text}])
            found = client.search(collection, data=[text], anns_field="dense", limit=1, output_fields=["document"])
        assert found[0][0]["entity"]["document"] == text

    def _start(self, started: Started) -> None:
        self.site.give(started.file, dict(started.variables))

    def _clear(self) -> None:
        """Pods and their owners, so that a namespace that is done costs nothing."""
        for kind in ("Milvus", "Deployment"):
            with contextlib.suppress(Exception):
                self.lab.api.delete(path_of(kind, self.namespace))
        self.kubelet.let_go()
