"""The quickstart example as the demo uses it: only the two addresses differ, and with the real service the keys."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.devkit.demo.narration import DemoFailed
from milvus_embedding.files.manifests import Manifests, replaced, sort
from milvus_embedding.validation import validate_documents
from milvus_embedding.validation.documents import SourcedDocument, load_paths

FOLDER = Path("examples") / "quickstart"
_URI = ("spec", "uri")
_URL = ("spec", "embedding", "dashscope", "url")
_KEY = ("stringData", "apikey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`url` None: the example's own. `key` None: the example's placeholders."""

    uri: str
    url: str | None = None
    key: str | None = field(default=None, repr=False)

    def by_kind(self) -> Mapping[str, Mapping[tuple[str, ...], str]]:
        """Kind -> path -> new value."""
        addresses: dict[tuple[str, ...], str] = {_URI: self.uri}
        if self.url:
            addresses[_URL] = self.url
        return {MilvusConnection.KIND: addresses} | ({"Secret": {_KEY: self.key}} if self.key else {})


class Quickstart:
    """The manifests in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._documents, problems = load_paths([folder])
        if wrong := [*problems, *validate_documents(self._documents)]:
            raise DemoFailed(f"the example is not valid: {wrong[0]}")

    @classmethod
    def find(cls) -> "Quickstart":
        """The one of this checkout. Raises DemoFailed."""
        checkout = Path(__file__).resolve().parents[4]
        for root in (checkout, Path.cwd()):
            if (root / FOLDER).is_dir():
                return cls(root / FOLDER)
        raise DemoFailed(f"{FOLDER} is not here: run the demo from a checkout of milvus-embedding-operator")

    @property
    def keys(self) -> set[str]:
        """The placeholders that stand for API keys in the example's Secrets."""
        secrets = sort(self._documents)[0].secrets.values()
        return {value.decode() for secret in secrets for value in secret.data.values()}

    def names(self, kind: str) -> list[str]:
        """namespace/name of each object of a kind."""
        return [f"{document.namespace}/{document.name}" for document in self._documents if document.kind == kind]

    def changed(self, changes: Changes) -> Manifests:
        """The manifests with the changes in them."""
        documents = [_changed(document, changes) for document in self._documents]
        return sort(documents)[0]

    def write_overlay(self, directory: Path, changes: Changes) -> None:
        """A kustomization over the example, for `kubectl apply -k`. With a key it is a secret itself."""
        directory.mkdir(mode=0o700, parents=True)
        base = os.path.relpath(self.folder.resolve(), directory.resolve())
        patches = [
            {"target": {"kind": kind}, "patch": yaml.safe_dump([_operation(p, v) for p, v in values.items()])}
            for kind, values in changes.by_kind().items()
        ]
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [base],
            "patches": patches,
        }
        (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")


def _changed(document: SourcedDocument, changes: Changes) -> SourcedDocument:
    for path, value in changes.by_kind().get(document.kind, {}).items():
        document = replaced(document, path, value)
    return document


def _operation(path: tuple[str, ...], value: str) -> dict[str, str]:
    """As JSON patch; `add` replaces as well."""
    return {"op": "add", "path": "/" + "/".join(path), "value": value}
