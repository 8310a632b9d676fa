"""Functions of Milvus as functions of a spec, and the models and labels that they need."""

import re
from dataclasses import dataclass
from typing import Final

from milvus_embedding.api.references import ObjectRef
from milvus_embedding.api.schema import Bm25Spec, CollectionFunctionSpec, TextEmbeddingSpec
from milvus_embedding.domain.catalogue import CATALOGUE, PROVIDER
from milvus_embedding.domain.importing.names import object_name
from milvus_embedding.domain.labels import PATTERN, fold
from milvus_embedding.domain.planning.observed import field_named
from milvus_embedding.domain.schema import Function, FunctionKind, Schema

_KNOWN: Final = frozenset({"provider", "model_name", "dim", "credential"})
_LIKE_A_KEY: Final = re.compile(r"sk-[A-Za-z0-9_.-]{8,}")
_HIDDEN: Final = "replace-me"
_UNKNOWN_KIND: Final = "function_type"
"""The mark that the adapter leaves on kinds of functions that it does not know."""


@dataclass(frozen=True, slots=True, order=True)
class Embedding:
    """What one EmbeddingFunction stands for. `sent_dim` as the function has it, 0 if it has none; `label` empty for the
    provider's default key.
    """

    model: str
    dim: int
    sent_dim: int
    label: str

    @property
    def is_listed(self) -> bool:
        listed = CATALOGUE.get(self.model)
        return listed is not None and self.dim in listed.dims

    @property
    def declared_dim(self) -> int | None:
        """What has to be written as dim to get this function again."""
        if not self.is_listed:
            return self.dim
        return self.sent_dim or None

    @property
    def name(self) -> str:
        """For an object: model, dimension and label."""
        listed = CATALOGUE.get(self.model)
        usual = listed is not None and self.dim == listed.default_dim and not self.sent_dim
        parts = [self.model, *([] if usual else [str(self.dim)]), *([self.label] if self.label else [])]
        return object_name("-".join(parts))


@dataclass(frozen=True, slots=True)
class ImportedFunction:
    """`spec` None: it cannot be declared, and `remarks` say why. `embedding` None: it embeds by BM25."""

    spec: CollectionFunctionSpec | None
    embedding: Embedding | None
    remarks: tuple[str, ...]


def imported(function: Function, schema: Schema) -> ImportedFunction:
    """Quotes no value of a parameter that it does not know: it may be a key."""
    path = f"function {function.name}"
    if len(function.inputs) != 1 or len(function.outputs) != 1:
        return ImportedFunction(None, None, (f"{path} has not exactly one input and one output field",))
    if (kind := function.params.get(_UNKNOWN_KIND)) is not None:
        return ImportedFunction(None, None, (f"{path} is of the kind {kind}, which cannot be declared",))
    if function.kind is FunctionKind.BM25:
        return ImportedFunction(_spec(function, bm25=Bm25Spec()), None, ())
    params = {name.lower(): value for name, value in function.params.items()}
    provider = params.get("provider", "").lower()
    if provider != PROVIDER:
        told = f"of the provider {provider[:40]}" if provider.isalnum() else "without a provider that is known"
        return ImportedFunction(None, None, (f"{path} is {told}; only {PROVIDER} can be declared",))
    label, remarks = _label(params.get("credential", ""), path)
    unknown = sorted(params.keys() - _KNOWN)
    if unknown:
        remarks += (f"{path} has parameters that cannot be declared (values are not shown): {', '.join(unknown)}",)
    embedding = _embedding(params, function, schema, label)
    if embedding is None:
        return ImportedFunction(None, None, (*remarks, f"{path} has no model, or its dimension cannot be told"))
    ref = TextEmbeddingSpec(function_ref=ObjectRef(name=embedding.name))
    return ImportedFunction(_spec(function, embedding=ref), embedding, remarks)


def _spec(
    function: Function, *, embedding: TextEmbeddingSpec | None = None, bm25: Bm25Spec | None = None
) -> CollectionFunctionSpec:
    return CollectionFunctionSpec(
        name=function.name,
        description=function.description,
        input_fields=function.inputs,
        output_fields=function.outputs,
        text_embedding=embedding,
        bm25=bm25,
    )


def _embedding(params: dict[str, str], function: Function, schema: Schema, label: str) -> Embedding | None:
    output = field_named(schema, function.outputs[0])
    dim = output.params.get("dim", "") if output is not None else ""
    sent = params.get("dim") or "0"
    if not (params.get("model_name") and dim.isdigit() and sent.isdigit()):
        return None
    return Embedding(params["model_name"], int(dim), int(sent), label)


def _label(named: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The label as it can be declared, and what to know about it."""
    if not named or (PATTERN.fullmatch(named) and not _LIKE_A_KEY.match(named)):
        return named, ()
    if _LIKE_A_KEY.match(named):
        text = f"{path} names a label that looks like an API key, and is not shown: label {_HIDDEN} stands for it"
        return _HIDDEN, (text,)
    folded = re.sub(r"[^a-z0-9_-]", "", fold(named)).lstrip("_-")[:63] or _HIDDEN
    text = (
        f"{path} names a label that cannot be declared; {folded} is written in its place, which Milvus looks up alike"
    )
    return folded, (text,)
