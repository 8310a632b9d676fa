"""Manifests as the objects, Secrets and ConfigMaps that an API server would hold.

Only sorts and decodes what validation/ has loaded. It checks nothing that validation checks, and follows no references.
"""

import base64
import binascii
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import GROUP
from milvus_embedding.validation.documents import SourcedDocument
from milvus_embedding.validation.problems import Check, Path, Problem

Place = tuple[str, str]
"""(namespace, name)."""

_URI: Final[Path] = ("spec", "uri")
_PROVIDER_URL: Final = ("spec", "embedding", "dashscope", "url")


@dataclass(frozen=True, slots=True)
class Opaque:
    """A Secret or ConfigMap of the manifests. Its data is not part of its repr."""

    data: Mapping[str, bytes] = field(repr=False)
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """`objects` are those of the four kinds, in the order of the files."""

    objects: Sequence[SourcedDocument]
    secrets: Mapping[Place, Opaque] = field(repr=False)
    config_maps: Mapping[Place, Opaque] = field(repr=False)


def sort(documents: Iterable[SourcedDocument]) -> tuple[Manifests, list[Problem]]:
    """Sorts documents by what they are; others than ours, Secrets and ConfigMaps are left out.

    A Secret whose data is not base64 becomes a problem that quotes nothing of it.
    """
    objects: list[SourcedDocument] = []
    found: dict[str, dict[Place, Opaque]] = {"Secret": {}, "ConfigMap": {}}
    problems: list[Problem] = []
    for document in documents:
        if document.api_version.split("/")[0] == GROUP and document.kind in KINDS:
            objects.append(document)
        elif document.api_version == "v1" and document.kind in found:
            opaque, wrong = _opaque(document)
            found[document.kind][document.namespace, document.name] = opaque
            problems += wrong
    return Manifests(objects=objects, secrets=found["Secret"], config_maps=found["ConfigMap"]), problems


def with_uri(documents: Sequence[SourcedDocument], uri: str) -> list[SourcedDocument]:
    """The documents with every MilvusConnection at `uri`.

    Raises:
        ValueError: there are several connections, which are not one Milvus.
    """
    names = [f"{d.namespace}/{d.name}" for d in documents if d.kind == MilvusConnection.KIND]
    if len(names) > 1:
        raise ValueError(
            f"one address cannot stand for {len(names)} connections ({', '.join(names[:4])}): "
            "name the files of one connection, or set spec.uri in each"
        )
    return [
        replaced(without(d, ("spec", "milvusRef")), _URI, uri) if d.kind == MilvusConnection.KIND else d
        for d in documents
    ]


def with_provider_url(documents: Sequence[SourcedDocument], url: str) -> list[SourcedDocument]:
    """The documents with every connection that delivers keys using DashScope at `url`."""
    return [
        replaced(d, _PROVIDER_URL, url) if d.kind == MilvusConnection.KIND and _delivers(d) else d for d in documents
    ]


def _delivers(document: SourcedDocument) -> bool:
    spec = document.body.get("spec")
    return isinstance(spec, dict) and isinstance(spec.get("embedding"), dict)


def replaced(document: SourcedDocument, path: Path, value: object) -> SourcedDocument:
    """A copy with the field at `path` set; maps on the way are made where they are missing."""
    body = copy.deepcopy(dict(document.body))
    node: dict[str | int, object] = body  # type: ignore[assignment]
    for name in path[:-1]:
        inner = node.get(name)
        node[name] = node = inner if isinstance(inner, dict) else {}
    node[path[-1]] = value
    return replace(document, body=body)


def without(document: SourcedDocument, path: Path) -> SourcedDocument:
    """A copy without the field at `path`."""
    body = copy.deepcopy(dict(document.body))
    node: object = body
    for name in path[:-1]:
        node = node.get(name) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(path[-1], None)
    return replace(document, body=body)


def _opaque(document: SourcedDocument) -> tuple[Opaque, list[Problem]]:
    data: dict[str, bytes] = {}
    problems: list[Problem] = []
    encoded = ("data", "binaryData") if document.kind == "Secret" else ("binaryData",)
    for part in encoded:
        for name, text in _texts(document.body.get(part)):
            try:
                data[name] = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                problems.append(_not_base64(document, (part, name)))
    plain = "stringData" if document.kind == "Secret" else "data"
    data |= {name: text.encode() for name, text in _texts(document.body.get(plain))}
    metadata = document.body.get("metadata")
    labels = dict(_texts(metadata.get("labels"))) if isinstance(metadata, Mapping) else {}
    return Opaque(data, labels), problems


def _not_base64(document: SourcedDocument, path: Path) -> Problem:
    message = "the value is not base64: encode it, or write it in clear under stringData"
    problem = Problem(check=Check.SCHEMA, path=path, message=message)
    return problem.at(file=document.file, line=document.line_of(path), subject=document.subject)


def _texts(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from ((str(name), str(text)) for name, text in value.items() if text is not None)
