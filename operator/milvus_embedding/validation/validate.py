"""The whole validation: what the API server would refuse, then what the operator could not carry out."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import cast

from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.metadata import API_VERSION, GROUP
from milvus_embedding.api.model import InvalidObjectError
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.validation.annotations import annotation_problems
from milvus_embedding.validation.crds import schemas
from milvus_embedding.validation.defaults import with_defaults
from milvus_embedding.validation.documents import SourcedDocument, load_paths
from milvus_embedding.validation.inventory import AnyResource, Inventory
from milvus_embedding.validation.limits import limit_problems
from milvus_embedding.validation.problems import Check, Path, Problem
from milvus_embedding.validation.references import reference_problems
from milvus_embedding.validation.rules import rule_problems
from milvus_embedding.validation.spelling import corrected
from milvus_embedding.validation.structure import structural_problems


def validate_paths(paths: Iterable[FilePath]) -> list[Problem]:
    """Validate manifests in files and folders."""
    documents, problems = load_paths(paths)
    return _sorted([*problems, *validate_documents(documents)])


def validate_documents(docs: Sequence[SourcedDocument]) -> list[Problem]:
    """Validate documents that belong together, sorted by file and line.

    Documents of kinds that are not ours are only looked up in: Secrets (the names of their keys) and Namespaces.
    References are checked between objects that are valid by themselves.
    """
    inventory = Inventory()
    problems: list[Problem] = []
    for document in docs:
        if document.api_version.split("/")[0] != GROUP:
            inventory.note(document)
            problems += [_placed(problem, document) for problem in _almost_ours(document)]
            continue
        found = [_placed(problem, document) for problem in _object_problems(document)]
        if found:
            inventory.broken.add(Key(document.kind, document.namespace, document.name))
        problems += found or _take(document, inventory)
    problems += reference_problems(inventory)
    return _sorted(problems)


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.message))


def _placed(problem: Problem, document: SourcedDocument) -> Problem:
    shown = next((path for path in (problem.path, *problem.instead) if path in document.lines), problem.path)
    return problem.at(file=document.file, line=document.line_of(shown), subject=document.subject)


def _almost_ours(document: SourcedDocument) -> Iterator[Problem]:
    """Yield a problem for an object of our kinds under a misspelt group, or under none: it would be passed over."""
    group, slash, _ = document.api_version.rpartition("/")
    if document.kind not in KINDS or (slash and not difflib.get_close_matches(group, [GROUP], cutoff=0.8)):
        return
    found = f"apiVersion is {document.api_version[:80]!r}" if document.api_version else "apiVersion is missing"
    yield Problem(check=Check.SCHEMA, path=("apiVersion",), message=f"{found}: write {API_VERSION}")


def _object_problems(document: SourcedDocument) -> Iterator[Problem]:
    if document.kind not in KINDS:
        near = difflib.get_close_matches(document.kind, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KINDS)}"
        found = f"unknown kind {document.kind[:63]!r}" if document.kind else "kind is missing"
        yield Problem(check=Check.SCHEMA, path=("kind",), message=f"{found}; {hint}")
        return
    if document.api_version != API_VERSION:
        message = f"unknown version of the API: write {API_VERSION}"
        yield Problem(check=Check.SCHEMA, path=("apiVersion",), message=message)
        return
    schema = schemas()[document.kind]
    misspelt: list[Problem] = []
    # What was meant is looked at, so that a slip of the pen is told once. Defaulting a map gives a map.
    meant = corrected(schema, document.body, misspelt)
    body = cast("dict[str, object]", with_defaults(schema, meant))
    structural = [*misspelt, *structural_problems(document.kind, body)]
    # The API server evaluates no rules on what its schema refuses; unknown fields do not get in their way.
    if all("unknown field" in problem.message for problem in structural):
        structural += rule_problems(document.kind, body)
    yield from structural


def _take(document: SourcedDocument, inventory: Inventory) -> list[Problem]:
    path: Path = ("metadata", "name")
    try:
        resource = cast("AnyResource", KINDS[document.kind].parse(document.body))
    except InvalidObjectError as error:
        return [_placed(Problem(check=Check.SCHEMA, message=str(error)), document)]
    key = Key(document.kind, document.namespace, document.name)
    if key in inventory.sources:
        first = inventory.sources[key]
        if (first.file, first.line) == (document.file, document.line):
            message = "read twice: -f names this file twice, or the file and its folder: name it once"
        else:
            message = f"declared twice, also at {first.file}:{first.line_of(path)}: remove one"
        return [_placed(Problem(check=Check.REFERENCES, path=path, message=message), document)]
    inventory.resources[key] = resource
    inventory.sources[key] = document
    found = (*annotation_problems(resource), *_not_supported(resource), *limit_problems(resource))
    return [_placed(problem, document) for problem in found]


def _not_supported(resource: AnyResource) -> Iterator[Problem]:
    """Yield what the operator would say to an object that the API server admits and this version cannot carry out."""
    try:
        refuse_unsupported(resource)
    except Blocked as blocked:
        yield Problem(check=Check.REFERENCES, path=("spec",), message=f"{blocked.message} ({blocked.reason})")
