"""Offline validation of manifests: the CRDs' schemas, their own CEL rules, and what several objects show together."""

from milvus_embedding.validation.documents import SourcedDocument, load_paths, load_text
from milvus_embedding.validation.problems import Check, Problem, Severity
from milvus_embedding.validation.validate import validate_documents, validate_paths

__all__ = [
    "Check",
    "Problem",
    "Severity",
    "SourcedDocument",
    "load_paths",
    "load_text",
    "validate_documents",
    "validate_paths",
]
