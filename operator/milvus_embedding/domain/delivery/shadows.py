"""What else Milvus reads that wins over the rendered file, or over the variables: only names, never values.

Milvus knows a key by its fold (lower case, without `/`, `_` and `.`); a later file wins over an earlier one, and the
environment over all files, for what some file declares. Whether a value equals ours is not compared for API keys, as
only Milvus may know both. What Milvus has in etcd wins over everything and cannot be seen from here.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import yaml

from milvus_embedding.domain.delivery.config_files import FILE_NAMES
from milvus_embedding.domain.labels import fold

_PROVIDER: Final = "function.textEmbedding.providers.dashscope"
_CREDENTIAL: Final = f"{_PROVIDER}.credential"
_URL: Final = f"{_PROVIDER}.url"
_ENABLE: Final = f"{_PROVIDER}.enable"
_VARIABLE_PREFIX: Final = "milvus_conf_"
_ENVIRONMENT: Final = "the environment"
_DEEPEST: Final = 64
# The parser in C is ten times faster, and ConfigMaps may have a megabyte.
_LOADER: Final[type[yaml.SafeLoader | yaml.CSafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ShadowKind(StrEnum):
    LABEL = "Label"
    DEFAULT = "Default"
    URL = "Url"
    DISABLED = "Disabled"
    UNRESOLVABLE = "Unresolvable"
    UNPARSABLE = "Unparsable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """`source`: a file's name, or "env " and a variable's. `label`: the shadowed one. `key`: where it is set."""

    kind: ShadowKind
    source: str
    label: str = ""
    key: str = ""

    @property
    def sentence(self) -> str:
        match self.kind:
            case ShadowKind.LABEL:
                return (
                    f"{self.source} sets {self.key}, or a name that is the same to Milvus, and wins, so that Milvus "
                    f"does not use our key of label {self.label}: remove it there, or choose another label"
                )
            case ShadowKind.DEFAULT:
                return f"{self.source} sets {self.key}, and wins over the connection's default key: remove it there"
            case ShadowKind.URL:
                return f"{self.source} sets {self.key}, and wins over spec.embedding.dashscope.url: remove it there"
            case ShadowKind.DISABLED:
                return f"{self.source} sets {self.key} to false, so that Milvus refuses every function: remove it there"
            case ShadowKind.UNRESOLVABLE:
                return (
                    f"{self.source} sets {self.key} to a label that Milvus does not find (labels are lower case and "
                    "have an apikey), so that functions without a credential fail: remove it there"
                )
            case ShadowKind.UNPARSABLE:
                return (
                    f"{self.source} cannot be read as a map in YAML, and Milvus that cannot read it either starts "
                    "without any configuration file: mend it"
                )


def shadowed(
    files: Mapping[str, str],
    *,
    ours: str,
    labels: Collection[str],
    default: str | None,
    url: str | None,
    variables: Collection[str] = (),
) -> list[Shadow]:
    """For delivery by file. Sorted, pure and total.

    files: name -> text of the configuration files besides ours; names that Milvus does not read are ignored. ours: the
    name of the rendered one, "" if that is not known (then no file counts as a later one). variables: names of Milvus'
    environment. labels, default, url: what the rendered file declares.
    """
    keys = {fold(key): (label, key) for label in labels for key in (f"credential.{label}.apikey",)}
    settings = _read(files, {*keys, *map(fold, (_CREDENTIAL, _URL, _ENABLE))}, variables)
    found = [*settings.unparsable, *_disabled(settings)]
    for folded, (label, key) in keys.items():
        if source := settings.wins_over(ours, folded):
            found.append(Shadow(kind=ShadowKind.LABEL, source=source, label=label, key=key))
    for kind, key, value in ((ShadowKind.DEFAULT, _CREDENTIAL, default), (ShadowKind.URL, _URL, url)):
        source = settings.wins_over(ours, fold(key)) if value else ""
        if source and settings.values.get((source, fold(key))) != value:
            found.append(Shadow(kind=kind, source=source, key=key))
    return sorted(found, key=_order)


def environment_shadowed(files: Mapping[str, str], *, variables: Collection[str] = ()) -> list[Shadow]:
    """For delivery by variables, which count only where no file names a default key. Sorted, pure and total.

    files, variables: as for `shadowed`.
    """
    first = _read(files, {fold(_CREDENTIAL), fold(_ENABLE)}, variables)
    found = [*first.unparsable, *_disabled(first)]
    if source := first.last(fold(_CREDENTIAL)):
        label = first.values.get((source, fold(_CREDENTIAL)))
        found += _of_default(files, source, label, variables)
    return sorted(found, key=_order)


def _of_default(
    files: Mapping[str, str], source: str, label: str | None, variables: Collection[str]
) -> Iterator[Shadow]:
    """`label`: what the winning `credential` says; None if a variable does, whose value is not known."""
    if label is None:
        yield Shadow(kind=ShadowKind.DEFAULT, source=source, key=_CREDENTIAL)
        return
    if not label:
        return
    # Milvus takes the name as it is written, and has all names in lower case.
    folded = fold(f"credential.{label}.apikey")
    settings = _read(files, {folded}, variables)
    holder = settings.last(folded)
    if not holder or label != label.lower():
        yield Shadow(kind=ShadowKind.UNRESOLVABLE, source=source, key=_CREDENTIAL)
    elif settings.values.get((holder, folded), "unknown"):
        yield Shadow(kind=ShadowKind.DEFAULT, source=source, key=_CREDENTIAL)


def _disabled(settings: "_Settings") -> Iterator[Shadow]:
    source = settings.last(fold(_ENABLE))
    if settings.values.get((source, fold(_ENABLE)), "").lower() == "false":
        yield Shadow(kind=ShadowKind.DISABLED, source=source, key=_ENABLE)


def _order(shadow: Shadow) -> tuple[str, str, str]:
    return (shadow.kind.value, shadow.label, shadow.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """values: (file, folded key) -> value. variables: folded key -> "env NAME", of which values are not known."""

    values: Mapping[tuple[str, str], str] = field(repr=False)
    variables: Mapping[str, str]
    unparsable: tuple[Shadow, ...]

    def wins_over(self, ours: str, folded: str) -> str:
        """What wins over our file's value of a key, "" if nothing does."""
        if folded in self.variables:
            return self.variables[folded]
        later = FILE_NAMES[FILE_NAMES.index(ours) + 1 :] if ours in FILE_NAMES else ()
        return next((name for name in reversed(later) if (name, folded) in self.values), "")

    def last(self, folded: str) -> str:
        """Where the value of a key comes from, "" if no file declares it: a variable alone makes no such key."""
        name = next((name for name in reversed(FILE_NAMES) if (name, folded) in self.values), "")
        return self.variables.get(folded, name) if name else ""


def _read(files: Mapping[str, str], wanted: Collection[str], variables: Collection[str]) -> _Settings:
    values: dict[tuple[str, str], str] = {}
    unparsable = []
    for name in FILE_NAMES:
        try:
            document = _parse(files.get(name, ""))
        except _Unparsable:
            unparsable.append(Shadow(kind=ShadowKind.UNPARSABLE, source=name))
            continue
        values.update({(name, folded): value for folded, value in _find(document, wanted)})
    overrides = {fold(name.lower().removeprefix(_VARIABLE_PREFIX)): f"env {name}" for name in sorted(variables)}
    return _Settings(values=values, variables=overrides, unparsable=tuple(unparsable))


class _Unparsable(Exception):
    """Without the parser's text, which quotes the file."""


def _parse(text: str) -> Mapping[object, object]:
    try:
        _refuse_deep(text)
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader in either case
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _Unparsable from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _Unparsable
    return document


def _refuse_deep(text: str) -> None:
    """The C parser's tree builder has no limit of its own, and ends the process; its events are safe."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _Unparsable


def _find(document: Mapping[object, object], wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """The leaves with a wanted folded key, in no order that Milvus would promise either.

    Goes only where a wanted key may be, and once for each place: aliases can make a small file a huge tree.
    """
    seen: set[tuple[int, str]] = set()
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            if path in wanted:
                yield path, _text(node)
            continue
        if (id(node), path) in seen:
            continue
        seen.add((id(node), path))
        places = ((path + fold(_text(key)), value) for key, value in node.items())
        waiting += [place for place in places if any(key.startswith(place[0]) for key in wanted)]


def _text(value: object) -> str:
    """A scalar as Milvus writes it. A list is not told: it is no label, and can be as deep as it likes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else "?"
