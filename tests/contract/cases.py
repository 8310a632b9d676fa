"""Objects that are right, and what makes them wrong: the offline validator and the API server must agree on each."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Body = dict[str, object]
REMOVED: Final = object()


def _body(kind: str, namespace: str, name: str, spec: Body) -> Body:
    return {
        "apiVersion": "embedding.milvus.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


CONNECTION: Final = _body("MilvusConnection", "milvus", "c", {"uri": "http://milvus:19530", "embedding": {}})
CREDENTIAL: Final = _body(
    "EmbeddingCredential", "milvus", "k", {"connectionRef": {"name": "milvus"}, "apiKeySecretRef": {"name": "s"}}
)
FUNCTION: Final = _body("EmbeddingFunction", "search", "f", {"dashscope": {"model": "text-embedding-v3"}})
COLLECTION: Final = _body(
    "MilvusCollection",
    "search",
    "docs",
    {
        "connectionRef": {"name": "milvus", "namespace": "milvus"},
        "fields": [
            {"name": "id", "type": "INT64", "primaryKey": True},
            {"name": "document", "type": "VARCHAR", "maxLength": 9000, "analyzer": {"enabled": True}},
            {"name": "dense", "type": "FLOAT_VECTOR"},
            {"name": "sparse", "type": "SPARSE_FLOAT_VECTOR"},
        ],
        "functions": [
            {
                "name": "ali",
                "inputFields": ["document"],
                "outputFields": ["dense"],
                "textEmbedding": {"dashscope": {"model": "text-embedding-v3"}},
            },
            {"name": "words", "inputFields": ["document"], "outputFields": ["sparse"], "bm25": {}},
        ],
        "indexes": [{"field": "dense"}, {"field": "sparse"}],
    },
)
BASES: Final = (CONNECTION, CREDENTIAL, FUNCTION, COLLECTION)


@dataclass(frozen=True)
class Case:
    """A change of a valid object, and a part of the message that refuses it."""

    base: Mapping[str, object]
    changes: Mapping[str, object]
    message: str

    @property
    def body(self) -> Body:
        return changed(self.base, self.changes)


def changed(base: Mapping[str, object], changes: Mapping[str, object]) -> Body:
    """Return a copy with values set at dotted paths (numbers are positions; one past the end appends)."""
    body = copy.deepcopy(dict(base))
    for path, value in changes.items():
        _set(body, path.split("."), value)
    return body


def _set(holder: object, path: Sequence[str], value: object) -> None:
    head, *rest = path
    if isinstance(holder, list):
        position = int(head)
        if position == len(holder):
            holder.append({})
        if rest:
            _set(holder[position], rest, value)
        else:
            holder[position] = copy.deepcopy(value)
        return
    assert isinstance(holder, dict)
    if rest:
        _set(holder.setdefault(head, {}), rest, value)
    elif value is REMOVED:
        del holder[head]
    else:
        holder[head] = copy.deepcopy(value)


def _connection(message: str, **changes: object) -> Case:
    return Case(CONNECTION, {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}, message)


def _credential(message: str, **changes: object) -> Case:
    return Case(CREDENTIAL, {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}, message)


def _function(message: str, **changes: object) -> Case:
    return Case(FUNCTION, {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}, message)


def _collection(message: str, **changes: object) -> Case:
    return Case(COLLECTION, {f"spec.{path.replace('__', '.')}": value for path, value in changes.items()}, message)


def _field(message: str, **field: object) -> Case:
    return Case(COLLECTION, {"spec.fields.4": {"name": "more", "type": "INT64"} | field}, message)


_INLINE = "functions__0__textEmbedding__dashscope"
_SELECTOR = {"matchExpressions": [{"key": "team", "operator": "In"}]}
_WORKLOADS = {"selector": {"matchLabels": {"app": "milvus"}}}

BROKEN_RULES: Final[Mapping[str, Case]] = {
    "a uri with a password": _connection("uri carries no user name", uri="http://root:x@milvus:19530"),
    "a uri with a path": _connection("uri is http://host:port", uri="http://milvus:19530/db"),
    "a uri of another scheme": _connection("uri is http://host:port", uri="tcp://milvus:19530"),
    "a name that is too long for a label": Case(CONNECTION, {"metadata.name": "c" * 64}, "more than 63 characters"),
    "a uri and a milvusRef": _connection("exactly one of uri and milvusRef", milvusRef={"name": "m"}),
    "neither uri nor milvusRef": _connection("exactly one of uri and milvusRef", uri=REMOVED),
    "tls to a plain uri": _connection("tls needs an https:// uri", tls={"serverName": "milvus"}),
    "workloads beside a milvusRef": _connection(
        "workloads is only for uri", uri=REMOVED, milvusRef={"name": "m"}, embedding__rollout={"workloads": _WORKLOADS}
    ),
    "Restart of nothing": _connection("Restart needs something to restart", embedding__rollout={"strategy": "Restart"}),
    "workloads that select everything": _connection(
        "selector is empty and would select", embedding__rollout={"workloads": {"selector": {}}}
    ),
    "a selector condition without values": _connection(
        "values are needed for operator In", embedding__rollout={"workloads": {"selector": _SELECTOR}}
    ),
    "Environment without a key": _connection(
        "dashscope.credentialRef is needed", embedding={"delivery": "Environment"}
    ),
    "Environment with a url": _connection(
        "dashscope.url cannot be delivered",
        embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "k"}, "url": "https://h/p"}},
    ),
    "Environment with Live": _connection(
        "rollout.strategy: Live does not work",
        embedding={
            "delivery": "Environment",
            "dashscope": {"credentialRef": {"name": "k"}},
            "rollout": {"strategy": "Live"},
        },
    ),
    "a url with a user": _connection("url carries no user name", embedding__dashscope={"url": "https://u@h/p"}),
    "a url with a query": _connection("url is a complete", embedding__dashscope={"url": "https://h/p?key=x"}),
    "a grant by names without names": _connection("names is needed", allowedNamespaces={"from": "Names"}),
    "a grant with names and no from": _connection("names is only for", allowedNamespaces={"names": ["a"]}),
    "a grant by selector without selector": _connection("selector is needed", allowedAdoption={"from": "Selector"}),
    "a grant with a selector and no from": _connection(
        "selector is only for", allowedNamespaces={"selector": {"matchLabels": {"a": "b"}}}
    ),
    "a grant to everybody by an empty selector": _connection(
        "an empty selector would match", allowedNamespaces={"from": "Selector", "selector": {}}
    ),
    "a credential from nowhere": _credential("exactly one of apiKeySecretRef", apiKeySecretRef=REMOVED),
    "a credential from two places": _credential("exactly one of apiKeySecretRef", external={}, label="a"),
    "an external credential without label": _credential(
        "label is needed with external", apiKeySecretRef=REMOVED, external={}
    ),
    "an external credential with an empty label": _credential(
        "label is needed with external", apiKeySecretRef=REMOVED, external={}, label=""
    ),
    "a label with a dot": _credential("label has lower-case letters", label="a.b"),
    "a label that begins with a dash": _credential("label has lower-case letters", label="-a"),
    "a model that nobody knows": _function("model is not in the catalogue", dashscope__model="text-embedding-v9"),
    "an unlisted model without dim": _function(
        "dim is needed with allowUnlisted", dashscope={"model": "text-embedding-v4", "allowUnlisted": True}
    ),
    "a dim that v3 does not have": _function("dim of text-embedding-v3 is", dashscope__dim=256),
    "a dim that v2 does not have": _function(
        "dim of text-embedding-v1 and", dashscope={"model": "text-embedding-v2", "dim": 1024}
    ),
    "an inline model that nobody knows": _collection("model is not in the catalogue", **{f"{_INLINE}__model": "v9"}),
    "no primary key": _collection("exactly one primary key", fields__0={"name": "id", "type": "INT64"}),
    "two primary keys": _field("exactly one primary key", primaryKey=True),
    "no vector": _collection(
        "at least one vector field",
        fields=[{"name": "id", "type": "INT64", "primaryKey": True}],
        functions=[],
        indexes=[],
    ),
    "eleven vectors": _collection(
        "more than 10 vector fields",
        fields=[
            {"name": "id", "type": "INT64", "primaryKey": True},
            *({"name": f"v{i}", "type": "FLOAT_VECTOR", "dim": 8} for i in range(11)),
        ],
        functions=[],
        indexes=[],
    ),
    "two partition keys": _collection(
        "more than one partitionKey",
        fields__4={"name": "a", "type": "INT64", "partitionKey": True},
        fields__5={"name": "b", "type": "INT64", "partitionKey": True},
    ),
    "two clustering keys": _collection(
        "more than one clusteringKey",
        fields__4={"name": "a", "type": "INT64", "clusteringKey": True},
        fields__5={"name": "b", "type": "INT64", "clusteringKey": True},
    ),
    "an output that is not declared": _collection("outputFields of a function names", functions__0__outputFields=["x"]),
    "an output of the wrong type": _collection(
        "outputFields of a function names", functions__0__outputFields=["sparse"]
    ),
    "an output that is nullable": _collection(
        "outputFields of a function cannot be nullable", fields__2__nullable=True
    ),
    "an input that is not declared": _collection("inputFields of a function names", functions__0__inputFields=["x"]),
    "an input that is nullable": _collection("inputFields of a function names", fields__1__nullable=True),
    "an output of two functions": _collection(
        "outputFields: a field is the output of one function only",
        functions__2={
            "name": "third",
            "inputFields": ["document"],
            "outputFields": ["dense"],
            "textEmbedding": {"functionRef": {"name": "f"}},
        },
    ),
    "bm25 without an analyzer": _collection("inputFields of bm25 needs an analyzer", fields__1__analyzer={}),
    "a vector without dim": _field("dim is needed for a dense vector", type="FLOAT_VECTOR"),
    "a dim that is not the model's default": _collection(
        "dim of the output field differs from the dim", fields__2__dim=768
    ),
    "a dim that is not the one asked of the model": _collection(
        "dim of the output field differs from the dim", fields__2__dim=1024, **{f"{_INLINE}__dim": 512}
    ),
    "an index on nothing": _collection("field of an index names a declared field", indexes__0__field="x"),
    "two indexes of one name": _collection("indexes has two entries", indexes__2={"field": "dense"}),
    "a metric for bits on floats": _collection("metric of an index does not fit", indexes__0__metric="HAMMING"),
    "a metric on a scalar": _collection("metric of an index does not fit", indexes__2={"field": "id", "metric": "L2"}),
    "partitions beside a partition key": _collection(
        "partitions and a field with partitionKey",
        partitions=["en"],
        fields__4={"name": "a", "type": "INT64", "partitionKey": True},
    ),
    "a number of partitions without a key": _collection("numPartitions is only for", numPartitions=8),
    "an observer that deletes": _collection(
        "adoptionPolicy: Observe", adoptionPolicy="Observe", deletionPolicy="DeleteIfEmpty"
    ),
    "automatic rebuilds without a budget": _collection(
        "migration.budget is needed", changePolicy={"rebuild": "Automatic"}, migration={}
    ),
    "more groups than replicas": _collection(
        "load.resourceGroups has no entry", load={"replicas": 3, "resourceGroups": ["a", "b"]}
    ),
    "a function that is two": _collection("exactly one of textEmbedding and bm25", functions__0__bm25={}),
    "a function that is none": _collection(
        "exactly one of textEmbedding and bm25", functions__0__textEmbedding=REMOVED
    ),
    "an embedding without a model": _collection("exactly one of functionRef", functions__0__textEmbedding={}),
    "a collectionName with a dash": _collection("collectionName has letters", collectionName="product-docs"),
    "a name that Milvus cannot have": Case(COLLECTION, {"metadata.name": "2024.docs"}, "collectionName is needed"),
    "an alias that is the own name": _collection("aliases cannot have", aliases=["docs"]),
    "an alias that is the chosen name": _collection("aliases cannot have", collectionName="texts", aliases=["texts"]),
    "a field name with a dash": _field("name has letters", name="created-at"),
    "a field name that is reserved": _field("name is reserved", name="RowID"),
    "a field name that is a word of filters": _field("name is a word of Milvus' filters", name="like"),
    "a VARCHAR without length": _field("maxLength is needed", type="VARCHAR"),
    "an ARRAY of VARCHAR without length": _field(
        "maxLength is needed", type="ARRAY", elementType="VARCHAR", maxCapacity=4
    ),
    "a number with a length": _field("maxLength is only for VARCHAR", maxLength=4),
    "a number with a dim": _field("dim is only for dense vectors", dim=4),
    "a binary vector of 12 bits": _field("dim of a BINARY_VECTOR", type="BINARY_VECTOR", dim=12),
    "an ARRAY of nothing": _field("elementType is needed", type="ARRAY", maxCapacity=4),
    "an ARRAY of any size": _field("maxCapacity is needed", type="ARRAY", elementType="INT64"),
    "a number with a capacity": _field("maxCapacity is needed", maxCapacity=4),
    "a partition key that may be absent": _field(
        "nullable is not for the partition key", partitionKey=True, nullable=True
    ),
    "a clustering key of maps": _field("clusteringKey is for numbers and VARCHAR", type="JSON", clusteringKey=True),
    "a primary key of floats": _collection("type of a primary key", fields__0__type="FLOAT"),
    "autoID elsewhere": _field("autoID is only for", autoID=True),
    "a primary key that may be absent": _collection("nullable is not for", fields__0__nullable=True),
    "a partition key of floats": _field("partitionKey is for INT64", type="FLOAT", partitionKey=True),
    "an analyzer of numbers": _field("analyzer is only for VARCHAR", analyzer={"enabled": True}),
    "match without the analyzer": _collection("match needs the analyzer", fields__1__analyzer={"match": True}),
}
"""By what is wrong, one case at least for each rule that looks at one object alone."""

REFUSED_CHANGES: Final[Mapping[str, Case]] = {
    "embedding removed": _connection("embedding cannot be removed", embedding=REMOVED),
    "another secretName": _connection("secretName is immutable", embedding={"secretName": "other"}),
    "another connection of a credential": _credential("connectionRef is immutable", connectionRef={"name": "other"}),
    "the same connection written otherwise": _credential(
        "connectionRef is immutable", connectionRef={"name": "milvus", "namespace": "milvus"}
    ),
    "a label chosen later": _credential("label is immutable", label="later"),
    "another model": _function("model and dim are immutable", dashscope__model="text-embedding-v2"),
    "another dim": _function("model and dim are immutable", dashscope__dim=512),
    "another connection of a collection": _collection("connectionRef is immutable", connectionRef={"name": "other"}),
    "another database": _collection("database is immutable", database="other"),
    "another collectionName": _collection("collectionName is immutable", collectionName="other"),
}
"""Changes of the valid objects that the API server must refuse; the offline validator cannot see them."""


def _largest() -> Mapping[str, object]:
    """As many parts with as long names as there may be: what the rules cost must stay affordable."""
    names = [f"f{i:02}".ljust(255, "x") for i in range(64)]
    vectors = names[2:12]
    return {
        "spec.fields": [
            {"name": names[0], "type": "INT64", "primaryKey": True},
            {"name": names[1], "type": "VARCHAR", "maxLength": 9, "analyzer": {"enabled": True}},
            *({"name": name, "type": "FLOAT_VECTOR", "dim": 1024} for name in vectors),
            *({"name": name, "type": "VARCHAR", "maxLength": 9, "nullable": True} for name in names[12:]),
        ],
        "spec.functions": [
            {
                "name": name,
                "inputFields": [names[1]],
                "outputFields": [name],
                "textEmbedding": {"dashscope": {"model": "text-embedding-v3"}},
            }
            for name in vectors
        ],
        "spec.indexes": [{"field": name, "name": name} for name in names],
        "spec.partitions": [f"p{i:03}".ljust(255, "x") for i in range(1024)],
        "spec.aliases": [f"a{i:02}".ljust(255, "x") for i in range(16)],
    }


ALLOWED_CHANGES: Final[Mapping[str, Case]] = {
    "secretName written as it is by default": _connection("", embedding={"secretName": "c-embedding-config"}),
    "another uri": _connection("", uri="https://milvus:443"),
    "an empty label": _credential("", label=""),
    "another Secret": _credential("", apiKeySecretRef={"name": "other", "key": "token"}),
    "collectionName written as it is by default": _collection("", collectionName="docs"),
    "database written as it is by default": _collection("", database="default"),
    "parameters of any scalar": _collection(
        "", properties={"a": True, "b": 1, "c": 0.5, "d": "x"}, indexes__0__params={"M": 16, "x": True}
    ),
    "default values of any type": _collection(
        "",
        fields__4={"name": "a", "type": "VARCHAR", "maxLength": 9, "defaultValue": ""},
        fields__5={"name": "b", "type": "FLOAT", "defaultValue": 0.5},
        fields__6={"name": "c", "type": "BOOL", "defaultValue": False},
    ),
    "a default value that is a map": _collection("", fields__4={"name": "a", "type": "JSON", "defaultValue": {"b": 1}}),
    "times and places": _collection(
        "",
        fields__4={"name": "at", "type": "TIMESTAMPTZ", "defaultValue": "2025-01-31T08:00:00Z"},
        fields__5={"name": "place", "type": "GEOMETRY", "nullable": True},
    ),
    "parameters of an analyzer": _collection("", fields__1__analyzer={"enabled": True, "params": {"type": "chinese"}}),
    "the largest collection": Case(COLLECTION, _largest(), ""),
    "everything empty": _collection(
        "", collectionName="", description="", properties={}, partitions=[], aliases=[], load={}, migration={}
    ),
}
"""Changes of the valid objects that must be possible."""
