"""Puts the rendered sections into somebody's milvus.yaml and leaves every other character of it alone.

Lines are inserted into the text, so comments, order and quoting of the base stay as they are; the result is parsed and
compared with what it has to mean before it is handed out. Nothing that the base sets is overwritten: an empty value is
filled in, any other one is an error that names it.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from milvus_embedding.domain.labels import fold
from milvus_embedding.domain.rendering.document import MASK, to_yaml

_CREDENTIAL: Final = "credential"
_INDENT: Final = 2
_LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What the parser counts as the end of a line."""


class BaseFileError(ValueError):
    """The sections do not fit into the base file. The text names line and key, and quotes no value."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replaces the characters from `start` to `end` of the text."""

    start: int
    end: int
    text: str


def merge(base: str, sections: Mapping[str, object], *, mask: bool) -> str:
    """The base file with the sections in it. With `mask` the base's own credentials are masked, too.

    Raises:
        BaseFileError: the base is not a map in YAML, or sets something that the sections set.
    """
    text = base if base.endswith("\n") or not base else base + "\n"
    root = _compose(text)
    if root is None:
        return text + to_yaml(sections)
    _refuse_same_labels(root, sections)
    merged = _apply(text, [*_additions(text, root, sections, ()), *(_masks(root) if mask else ())])
    wanted = _deep_merge(yaml.safe_load(text), sections)
    if not _means(merged, wanted if not mask else None):
        raise BaseFileError("the base file is written in a way that cannot be extended: write its maps in block style")
    return merged


def _compose(text: str) -> yaml.MappingNode | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BaseFileError(f"line {line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise BaseFileError("not valid YAML: a character is not allowed") from None
    if root is None or _is_empty(root):
        return None
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise BaseFileError("line 1: a milvus.yaml is a map in block style")
    return root


def _additions(
    text: str, node: yaml.MappingNode, wanted: Mapping[str, object], path: tuple[str, ...]
) -> Iterator[_Edit]:
    present = {str(key.value).lower(): (key, value) for key, value in node.value}
    missing: dict[str, object] = {}
    for name, value in wanted.items():
        if name.lower() not in present:
            missing[name] = value
            continue
        key, held = present[name.lower()]
        yield from _addition(text, key, held, value, (*path, name))
    if missing:
        yield _insert_after(text, _last_line(node), missing, column=node.value[0][0].start_mark.column)


def _addition(text: str, key: yaml.Node, held: yaml.Node, value: object, path: tuple[str, ...]) -> Iterator[_Edit]:
    if isinstance(value, Mapping):
        if not value:
            return
        if isinstance(held, yaml.MappingNode) and not held.flow_style:
            yield from _additions(text, held, value, path)
            return
        if not _is_empty(held):
            raise _taken(held, path, "write it as a map in block style")
        if held.end_mark.index > held.start_mark.index:
            yield _Edit(held.start_mark.index, held.end_mark.index, "")
        yield _insert_after(text, key.start_mark.line, value, column=key.start_mark.column + _INDENT)
        return
    if isinstance(held, yaml.ScalarNode) and held.value == value:
        return
    if not _is_empty(held):
        raise _taken(held, path, "remove it from the base file, or from the manifests")
    quoted = to_yaml({"": value}).partition(": ")[2].rstrip("\n")
    after_colon = text.index(":", key.end_mark.index) + 1
    # An empty value has no place of its own; a null or "" that is written out has.
    start, end = held.start_mark.index, held.end_mark.index
    if end > start:
        yield _Edit(start, end, quoted)
    else:
        yield _Edit(after_colon, after_colon, f" {quoted}")


def _insert_after(text: str, line: int, values: Mapping[str, object], *, column: int) -> _Edit:
    breaks = _LINE_BREAK.finditer(text)
    position = next(itertools.islice(breaks, line, None)).end()
    block = "".join(f"{' ' * column}{row}\n" for row in to_yaml(values).splitlines())
    return _Edit(position, position, block)


def _last_line(node: yaml.Node) -> int:
    """The line that the node's last character is on: the end of a block includes comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        key, value = node.value[-1]
        return max(int(key.end_mark.line), _last_line(value))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    if node.end_mark.index == node.start_mark.index:
        return 0
    return int(node.end_mark.line) - (1 if node.end_mark.column == 0 else 0)


def _refuse_same_labels(root: yaml.MappingNode, sections: Mapping[str, object]) -> None:
    ours = sections.get(_CREDENTIAL)
    wanted = {fold(label): label for label in ours} if isinstance(ours, Mapping) else {}
    for key in _credentials(root):
        label = wanted.get(fold(str(key.value)))
        if label is not None:
            raise BaseFileError(
                f"line {key.start_mark.line + 1}: credential.{key.value} of the base file and label {label} of the "
                "manifests are the same to Milvus: remove it from the base file, or choose another label"
            )


def _credentials(root: yaml.MappingNode) -> Iterator[yaml.Node]:
    for key, value in root.value:
        if str(key.value).lower() == _CREDENTIAL and isinstance(value, yaml.MappingNode):
            yield from (label for label, _ in value.value)


def _masks(root: yaml.MappingNode) -> Iterator[_Edit]:
    for key, value in root.value:
        if str(key.value).lower() == _CREDENTIAL:
            yield from _masked_scalars(value)


def _masked_scalars(node: yaml.Node) -> Iterator[_Edit]:
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _masked_scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _masked_scalars(value)
    elif isinstance(node, yaml.ScalarNode) and not _is_empty(node):
        newline = "\n" if node.style in ("|", ">") else ""
        yield _Edit(node.start_mark.index, node.end_mark.index, f'"{MASK}"{newline}')


def _apply(text: str, edits: list[_Edit]) -> str:
    # From the end, so that positions stay true; of two at one position the first comes first, and is deeper.
    for edit in reversed(sorted(edits, key=lambda e: e.start)):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _means(merged: str, wanted: object) -> bool:
    """Whether the text parses, and to `wanted` unless that is None."""
    try:
        document = yaml.safe_load(merged)
    except yaml.YAMLError:
        return False
    return wanted is None or _folded(document) == _folded(wanted)


def _deep_merge(base: object, addition: object) -> object:
    if not isinstance(base, Mapping) or not isinstance(addition, Mapping):
        return addition if addition or base in (None, "") else base
    names = {str(name).lower(): name for name in base}
    merged = dict(base)
    for name, value in addition.items():
        known = names.get(str(name).lower(), name)
        merged[known] = _deep_merge(base.get(known), value) if known in base else value
    return merged


def _folded(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _folded(part) for name, part in value.items()}
    return "" if value is None or value == {} else value


def _is_empty(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return node.tag == "tag:yaml.org,2002:null" or not str(node.value).strip()
    return not node.value


def _taken(node: yaml.Node, path: tuple[str, ...], fix: str) -> BaseFileError:
    return BaseFileError(f"line {node.start_mark.line + 1}: {'.'.join(path)} has a value already: {fix}")
