"""Manifests as text: comments with what a reader has to know, then the object. The same input gives the same bytes."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from milvus_embedding.domain.importing.manifests import Manifest

_WIDTH: Final = 116
_FILES: Final = {
    "MilvusConnection": "connection.yaml",
    "EmbeddingCredential": "credentials.yaml",
    "EmbeddingFunction": "functions.yaml",
}


class TakenError(Exception):
    """Files that are there already and say something else; the text names them."""


def as_text(manifests: Sequence[Manifest]) -> str:
    """One stream of documents."""
    return "---\n".join(document(manifest) for manifest in manifests)


def document(manifest: Manifest) -> str:
    """One document; of what cannot be declared, comments alone."""
    remarks = manifest.remarks
    if manifest.body is None:
        remarks = (f"{manifest.kind} for {manifest.title}: not written, as it cannot be declared", *remarks)
    return "".join(_comments(remarks)) + (_yaml(manifest.body) if manifest.body is not None else "")


def files(manifests: Sequence[Manifest]) -> Mapping[str, str]:
    """Name of file -> content: collections one by one, the others by kind."""
    parts: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        name = _FILES.get(manifest.kind, f"collection-{manifest.title}.yaml")
        parts.setdefault(name, []).append(manifest)
    return {name: as_text(of_file) for name, of_file in parts.items()}


def write(folder: Path, manifests: Sequence[Manifest]) -> tuple[Path, ...]:
    """Writes what is not there yet. Raises TakenError, before anything is written, and OSError."""
    contents = {folder / name: text for name, text in files(manifests).items()}
    taken = [path for path, text in contents.items() if path.exists() and path.read_text(encoding="utf-8") != text]
    if taken:
        raise TakenError(", ".join(str(path) for path in taken[:4]))
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in contents.items():
        path.write_text(text, encoding="utf-8")
    return tuple(contents)


def _comments(remarks: Sequence[str]) -> Iterator[str]:
    for remark in remarks:
        for at, line in enumerate(textwrap.wrap(remark, _WIDTH)):
            yield f"# {'' if at == 0 else '  '}{line}\n"


def _yaml(body: object) -> str:
    text: str = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=2**20, default_flow_style=False)
    return text
