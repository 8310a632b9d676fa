"""A namespace with a Milvus of its own, for one test; the manual's objects by their names, applied when it says so."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Self

from tests.e2e import manifests
from tests.e2e.lab import PLURALS, Body, Lab, Site, eventually, path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION, CREDENTIAL, FUNCTION, COLLECTION = (
    "MilvusConnection",
    "EmbeddingCredential",
    "EmbeddingFunction",
    "MilvusCollection",
)
SECRET, CREDENTIAL_NAME, COLLECTION_NAME = "dashscope-dev", "apikey-dev", "docs"


class Stage:
    """`namespace` holds the connection `milvus`; `key` is an API key that the stand-in accepts."""

    def __init__(self, lab: Lab, *, users: Mapping[str, str] | None = None, is_live: bool = True) -> None:
        self.lab = lab
        self.namespace = lab.namespace("milvus")
        self.key = lab.new_key()
        self.site: Site = lab.site(self.namespace, keys=(self.key,), users=users, is_live=is_live)
        self._namespaces = [self.namespace]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.site)
        return self

    def __exit__(self, *_: object) -> None:
        # Objects first: an operator with nothing to do leaves the next test its processor.
        with self._stack:
            for namespace in self._namespaces:
                self._keep_evidence(namespace)
                for kind in PLURALS:
                    self.lab.api.delete(path_of(kind, namespace))

    def team(self) -> str:
        """Another namespace, cleared with this one."""
        name = self.lab.namespace("team")
        self._namespaces.append(name)
        return name

    # what the manual has

    def connection(self, **spec: Any) -> Body:
        return manifests.connection(self.namespace, self.site.milvus.uri, url=self.site.dashscope.url, **spec)

    def tls_connection(self, authority: str) -> Body:
        """Another one, `secure`, whose authority is in a ConfigMap of that name. Nothing speaks TLS at its address."""
        tls = {"caRef": {"kind": "ConfigMap", "name": authority, "key": "ca.crt"}}
        uri = self.site.milvus.uri.replace("http:", "https:")
        return manifests.connection(self.namespace, uri, name="secure", tls=tls)

    def secret(self, key: str | None = None) -> Body:
        return manifests.secret(self.namespace, SECRET, apikey=key or self.key)

    def credential(self, **spec: Any) -> Body:
        spec = {"secret_name": SECRET, "label": "apikey_dev", **spec}
        return manifests.credential(self.namespace, CREDENTIAL_NAME, **spec)

    def collection(self, name: str = COLLECTION_NAME, **spec: Any) -> Body:
        """Its function names the credential."""
        if "function_ref" not in spec:
            spec.setdefault("credential_ref", {"name": CREDENTIAL_NAME})
        return manifests.collection(self.namespace, name, **spec)

    def apply(self, *bodies: Body) -> None:
        self.lab.apply(*bodies)

    def bring_up(self, *more: Body) -> None:
        """Everything, until the collection is Ready."""
        self.apply(self.connection(), self.secret(), self.credential(), self.collection(), *more)
        self.ready(COLLECTION)

    # what becomes of it

    def status(self, kind: str, name: str = "") -> Body:
        body = self.lab.get(kind, self.namespace, name or _NAMES[kind]) or {}
        status: Body = body.get("status", {})
        return status

    def condition(self, kind: str, type_: str = "Ready", name: str = "") -> Body:
        return self.lab.condition(kind, self.namespace, name or _NAMES[kind], type_)

    def reason(self, kind: str, reason: str, *, type_: str = "Ready", name: str = "", within: float = 15.0) -> Body:
        """The condition, as soon as it has the reason."""
        return self.lab.wait_condition(
            kind, self.namespace, name or _NAMES[kind], reason=reason, type_=type_, within=within
        )

    def ready(self, kind: str, name: str = "", *, within: float = 15.0) -> Body:
        return self.lab.wait_ready(kind, self.namespace, name or _NAMES[kind], within=within)

    def seconds_until_ready(self, *kinds: str, name: str = "", within: float = 15.0) -> float:
        """For how long the slowest of them stays other than Ready."""
        start = time.monotonic()
        for kind in kinds:
            self.ready(kind, name, within=within)
        return time.monotonic() - start

    def wait_gone(self, kind: str, name: str = "") -> None:
        """An object that was deleted."""
        eventually("deleted", lambda: self.lab.get(kind, self.namespace, name or _NAMES[kind]) is None)

    def _keep_evidence(self, namespace: str) -> None:
        for kind in (*PLURALS, "Event"):
            seen = self.lab.list(kind, namespace)
            self.lab.keep_evidence(kind, json.dumps(seen, ensure_ascii=False, indent=1))


_NAMES = {CONNECTION: "milvus", CREDENTIAL: CREDENTIAL_NAME, FUNCTION: "docs-v3", COLLECTION: COLLECTION_NAME}
