"""Milvus' limits on one collection, at the lines where they are exceeded. The server is not known here."""

from collections.abc import Iterator

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.domain.limits.breach import Grade
from milvus_embedding.domain.limits.check import breaches, ordinary
from milvus_embedding.domain.reasons import Reason
from milvus_embedding.validation.inventory import AnyResource
from milvus_embedding.validation.problems import Check, Problem, Severity


def limit_problems(resource: AnyResource) -> Iterator[Problem]:
    """Yield what the operator would refuse as InvalidSpec, and what depends on the server as a warning."""
    if not isinstance(resource, MilvusCollection):
        return
    for breach in ordinary(breaches(resource.spec)):
        is_doubtful = breach.grade is Grade.DOUBTFUL
        message = breach.message if is_doubtful else f"{breach.message} ({Reason.INVALID_SPEC})"
        severity = Severity.WARNING if is_doubtful else Severity.ERROR
        yield Problem(check=Check.LIMITS, path=("spec", *breach.path), message=message, severity=severity)
