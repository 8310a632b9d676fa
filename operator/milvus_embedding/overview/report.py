"""The tree for people and for programs."""

from collections.abc import Callable, Iterator
from typing import Final

from milvus_embedding.overview.tree import Branch, Health, LabelLine, Line, Tree

Paint = Callable[[str, str], str]
"""(text, colour) -> text, with or without colours."""

_COLOURS: Final = {Health.READY: "green", Health.WAITING: "yellow", Health.YOURS: "red"}
_USERS_SHOWN: Final = 8


def as_text(found: Tree, paint: Paint) -> str:
    """One block per connection, then the functions; the last line counts."""
    blocks = ["\n".join(_branch(branch, paint)) for branch in found.branches]
    if found.functions:
        blocks.append("\n".join(row for line in found.functions for row in _line(line, paint)))
    return "\n\n".join([*blocks, summary(found)])


def summary(found: Tree) -> str:
    lines = list(found.lines())
    if not lines:
        return "No object of embedding.milvus.io is there."
    ready = sum(line.health is Health.READY for line in lines)
    waiting = sum(line.health is Health.WAITING for line in lines)
    yours = sum(line.health is Health.YOURS for line in lines)
    parts = [f"{ready} of {len(lines)} Ready"]
    parts += [f"{waiting} under way"] if waiting else []
    parts += [f"{yours} need a change by you"] if yours else []
    return ", ".join(parts) + "."


def as_data(found: Tree) -> dict[str, object]:
    return {
        "ready": found.is_ready,
        "summary": summary(found),
        "connections": [
            {
                "namespace": branch.place[0],
                "name": branch.place[1],
                **(_data(branch.line) if branch.line is not None else {"listed": False}),
                "labels": [_label_data(label) for label in branch.labels],
                "credentials": [_data(line) for line in branch.credentials],
                "collections": [_data(line) for line in branch.collections],
            }
            for branch in found.branches
        ],
        "functions": [_data(line) for line in found.functions],
        "unseen": list(found.unseen),
    }


def _branch(branch: Branch, paint: Paint) -> Iterator[str]:
    if branch.line is None:
        yield f"MilvusConnection {'/'.join(branch.place)} (not among what is listed)"
    else:
        yield from _line(branch.line, paint)
    for label in branch.labels:
        yield f"  label {_label(label)}"
    for line in (*branch.credentials, *branch.collections):
        yield from (f"  {row}" for row in _line(line, paint))


def _line(line: Line, paint: Paint) -> Iterator[str]:
    is_ready = line.health is Health.READY
    told = line.reason if is_ready else f"{line.reason}: {line.message}"
    yield f"{line.key} " + paint(told, _COLOURS[line.health])
    yield from (f"    {detail}" for detail in line.details)
    if line.approval:
        yield "    approve it: " + paint(line.approval, "cyan")


def _label(label: LabelLine) -> str:
    owner = f" of EmbeddingCredential {label.credential}" if label.credential else ""
    number = "" if label.collections is None else f", named by {label.collections} collection(s)"
    shown = ", ".join(label.users[:_USERS_SHOWN])
    names = f": {shown}{', …' if len(label.users) > _USERS_SHOWN else ''}" if shown else ""
    return f"{label.label} {label.state}{owner}{number}{names}"


def _label_data(label: LabelLine) -> dict[str, object]:
    return {
        "label": label.label,
        "state": label.state,
        "credential": label.credential,
        "collections": label.collections,
        "users": list(label.users),
    }


def _data(line: Line) -> dict[str, object]:
    return {
        "kind": line.key.kind,
        "namespace": line.key.namespace,
        "name": line.key.name,
        "ready": line.health is Health.READY,
        "health": str(line.health),
        "reason": line.reason,
        "message": line.message,
        "details": list(line.details),
        "approve": line.approval,
    }
