"""References between objects, and the grants that allow them across namespaces.

What a refused reference leads to is the controllers' matter; whether the object exists is nobody's here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from milvus_embedding.api.model import EMPTY_MAP, FrozenMap, Model

METADATA_NAME = "kubernetes.io/metadata.name"
"""The label that every namespace has: its name."""


class Key(NamedTuple):
    """Identifies one object of the cluster (or of the manifests)."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class LocalRef(Model):
    """A reference within the namespace."""

    name: str


class ObjectRef(Model):
    """A reference that may leave the namespace; without a namespace it is to the holder's own."""

    name: str
    namespace: str | None = None

    def resolve(self, own_namespace: str) -> tuple[str, str]:
        """Return (namespace, name) as seen from an object of `own_namespace`."""
        return self.namespace or own_namespace, self.name


class SelectorOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class SelectorRequirement(Model):
    key: str
    operator: SelectorOperator
    values: tuple[str, ...] = ()

    @property
    def as_query(self) -> str:
        match self.operator:
            case SelectorOperator.EXISTS:
                return self.key
            case SelectorOperator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case SelectorOperator.IN:
                return f"{self.key} in ({','.join(self.values)})"
            case SelectorOperator.NOT_IN:
                return f"{self.key} notin ({','.join(self.values)})"

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case SelectorOperator.EXISTS:
                return self.key in labels
            case SelectorOperator.DOES_NOT_EXIST:
                return self.key not in labels
            case SelectorOperator.IN:
                return labels.get(self.key) in self.values
            case SelectorOperator.NOT_IN:
                return labels.get(self.key) not in self.values


class LabelSelector(Model):
    """A Kubernetes label selector. An empty one selects everything, as everywhere in Kubernetes."""

    match_labels: FrozenMap[str] = EMPTY_MAP
    match_expressions: tuple[SelectorRequirement, ...] = ()

    @property
    def as_query(self) -> str:
        """As the API server takes it in a list request."""
        equal = [f"{key}={value}" for key, value in sorted(self.match_labels.items())]
        return ",".join([*equal, *(requirement.as_query for requirement in self.match_expressions)])

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class GrantFrom(StrEnum):
    SAME = "Same"
    ALL = "All"
    NAMES = "Names"
    SELECTOR = "Selector"


class Grant(Model):
    """Which namespaces may refer to the object (`allowedNamespaces`). The object's own namespace always may."""

    from_: GrantFrom = GrantFrom.SAME
    names: tuple[str, ...] = ()
    selector: LabelSelector | None = None

    def allows(self, namespace: str, *, own_namespace: str, namespace_labels: Mapping[str, str] = EMPTY_MAP) -> bool:
        """Tell whether objects of `namespace` may refer to the object in `own_namespace` that holds this grant.

        namespace_labels: the labels of `namespace`. Without `kubernetes.io/metadata.name` among them they are unknown
        but for that one, and what is not seen grants nothing: neither that a label is absent nor that it differs holds.
        """
        if namespace == own_namespace:
            return True
        match self.from_:
            case GrantFrom.SAME:
                return False
            case GrantFrom.ALL:
                return True
            case GrantFrom.NAMES:
                return namespace in self.names
            case GrantFrom.SELECTOR:
                return self.selector is not None and _selects(self.selector, namespace, namespace_labels)


def _selects(selector: LabelSelector, namespace: str, known: Mapping[str, str]) -> bool:
    labels = {METADATA_NAME: namespace, **known}
    asked = (requirement.key for requirement in selector.match_expressions)
    return selector.matches(labels) and (METADATA_NAME in known or all(key in labels for key in asked))
