"""Manifests with line numbers: YAML as kubectl reads it, and for every field the line that it stands on.

It neither follows kustomizations nor renders templates; pipe their output in instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

import yaml

from milvus_embedding.validation.problems import Check, Path, Problem

SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_DEPTH: Final = 64

_TOP: Final = ("apiVersion", "kind", "metadata", "spec")
_TEMPLATE_MARK: Final = "{{"
_TEMPLATE_HINT: Final = "it looks like a template: render it first (helm template …) and pipe that into -f -"
_HINTS: Final = (
    ("'\\t'", "indent with spaces, YAML allows no tabs"),
    ("unhashable key", "a key is a list or a map; is the name of a field missing before it?"),
)
"""What the parser says that few people understand, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedDocument:
    """One object of a manifest. `line` is where it begins; `lines` has the line of each field.

    It may be a Secret: its repr has no content.
    """

    file: str
    line: int
    body: Mapping[str, object] = field(repr=False)
    lines: Mapping[Path, int] = field(default_factory=dict, repr=False)

    def line_of(self, path: Path) -> int:
        """Return the line of the field, or of the nearest one around it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.line

    @property
    def kind(self) -> str:
        return _text(self.body.get("kind"))

    @property
    def api_version(self) -> str:
        return _text(self.body.get("apiVersion"))

    @property
    def name(self) -> str:
        return _text(self._metadata.get("name"))

    @property
    def namespace(self) -> str:
        return _text(self._metadata.get("namespace")) or "default"

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}".strip()

    @property
    def _metadata(self) -> Mapping[object, object]:
        metadata = self.body.get("metadata")
        return metadata if isinstance(metadata, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class _NotAManifestError(yaml.YAMLError):
    """YAML that is no manifest; the text is for users."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Without time stamps: JSON, and hence Kubernetes, has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_paths(paths: Iterable[FilePath]) -> tuple[list[SourcedDocument], list[Problem]]:
    """Load files, and all manifests below folders, in the order of their names; unreadable ones become problems."""
    documents: list[SourcedDocument] = []
    problems: list[Problem] = []
    for path in paths:
        files = _files(path) if path.is_dir() else [path]
        if not files:
            message = f"no file in this folder ends in {', '.join(SUFFIXES)}: name the folder with the manifests"
            problems.append(Problem(check=Check.SYNTAX, file=str(path), message=message))
        for file in files:
            found, wrong = _load_file(file)
            documents += found
            problems += wrong
    return documents, problems


def _files(folder: FilePath) -> Sequence[FilePath]:
    return sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES and file.is_file())


def _load_file(file: FilePath) -> tuple[list[SourcedDocument], list[Problem]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return [], [Problem(check=Check.SYNTAX, file=str(file), message=f"the file cannot be read: {reason}")]
    return load_text(text, str(file))


def load_text(text: str, file: str) -> tuple[list[SourcedDocument], list[Problem]]:
    """Load all documents of one file; of a List, its items."""
    documents: list[SourcedDocument] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            if (node := loader.get_node()) is not None:
                documents += _documents(loader, node, file)
    except _NotAManifestError as error:
        return documents, [Problem(check=Check.SYNTAX, file=file, line=error.line, message=str(error))]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"not valid YAML: {error.problem}{_hint(str(error.problem), text)}"
        return documents, [Problem(check=Check.SYNTAX, file=file, line=line, message=message)]
    except yaml.YAMLError:
        return documents, [Problem(check=Check.SYNTAX, file=file, message="not valid YAML: a character is not allowed")]
    return documents, []


def _hint(problem: str, text: str) -> str:
    if _TEMPLATE_MARK in text:
        return f"; {_TEMPLATE_HINT}"
    return next((f"; {hint}" for part, hint in _HINTS if part in problem), "")


def _documents(loader: _Loader, node: yaml.Node, file: str) -> Sequence[SourcedDocument]:
    lines: dict[Path, int] = {}
    _note_lines(node, (), lines)
    body = loader.construct_document(node)
    if body is None:
        return []
    if not isinstance(body, dict):
        message = "a manifest is a map with apiVersion, kind, metadata and spec: write it so"
        raise _NotAManifestError(message, node.start_mark.line + 1)
    items = body.get("items")
    if str(body.get("kind", "")).endswith("List") and isinstance(items, list):
        parts = (_part(lines, ("items", position)) for position in range(len(items)))
        return [
            SourcedDocument(file=file, line=part.get((), 1), body=item, lines=part)
            for item, part in zip(items, parts, strict=True)
            if isinstance(item, dict)
        ]
    return [SourcedDocument(file=file, line=node.start_mark.line + 1, body=body, lines=lines)]


def _part(lines: Mapping[Path, int], prefix: Path) -> dict[Path, int]:
    return {path[len(prefix) :]: line for path, line in lines.items() if path[: len(prefix)] == prefix}


def _note_lines(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    if len(path) > MAX_DEPTH:
        message = "it is nested too deeply, or within itself: write it out"
        raise _NotAManifestError(message, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                hint = ", or begin the next object with ---" if name in _TOP and not path else ""
                raise _NotAManifestError(f"key {name!r} is there twice: remove one{hint}", key.start_mark.line + 1)
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _note_lines(value, (*path, name), lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*path, position)] = item.start_mark.line + 1
            _note_lines(item, (*path, position), lines)
