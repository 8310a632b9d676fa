"""What only several objects show together: references, grants, dimensions through a function, labels, names.

An object that is not in the set may be in the cluster: that is a warning. The messages tell what the operator would
put into the condition of the same name.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from milvus_embedding.api.annotations import RELEASE_TO
from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import Delivery, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.function import DashscopeModelSpec, EmbeddingFunction
from milvus_embedding.api.references import METADATA_NAME, Grant, Key, ObjectRef
from milvus_embedding.api.schema import CollectionFunctionSpec
from milvus_embedding.domain import catalogue, labels
from milvus_embedding.validation.inventory import AnyResource, Inventory, R
from milvus_embedding.validation.problems import Check, Path, Problem, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of one object, before its place in a file is known."""

    key: Key
    path: Path
    message: str
    severity: Severity = Severity.ERROR

    def problem(self, inventory: Inventory) -> Problem:
        source = inventory.sources[self.key]
        found = Problem(check=Check.REFERENCES, message=self.message, path=self.path, severity=self.severity)
        return found.at(file=source.file, line=source.line_of(self.path), subject=source.subject)


def reference_problems(inventory: Inventory) -> Iterator[Problem]:
    """Yield the problems of all objects, in the order of the manifests."""
    findings: list[Finding] = []
    for connection in inventory.all(MilvusConnection):
        findings += _connection(connection, inventory)
    for credential in inventory.all(EmbeddingCredential):
        findings += _credential(credential, inventory)
    for function in inventory.all(EmbeddingFunction):
        findings += _model(function, function.spec.dashscope, ("spec", "dashscope"), inventory)
    for collection in inventory.all(MilvusCollection):
        findings += _collection(collection, inventory)
    findings += _label_conflicts(inventory)
    findings += _name_conflicts(inventory)
    yield from (finding.problem(inventory) for finding in findings)


def _missing(
    holder: AnyResource, path: Path, kind: str, place: tuple[str, str], others: Iterable[tuple[str, str]]
) -> Finding:
    named = {"/".join(other) for other in others}
    near = difflib.get_close_matches("/".join(place), sorted(named), n=1, cutoff=0.75)
    hint = f", or did you mean {near[0]}?" if near else ""
    message = f"{kind} {'/'.join(place)} is not among these manifests: it has to be in the cluster already{hint}"
    return Finding(holder.key, path, message, Severity.WARNING)


def _refused(holder: AnyResource, path: Path, *, owner: AnyResource, grant: str, namespace: str) -> Finding:
    message = (
        f"{owner.key} does not allow namespace {namespace} (NotAllowed): "
        f"add it to spec.{grant} there, or refer to another object"
    )
    return Finding(holder.key, path, message)


def _undecided(holder: AnyResource, path: Path, *, owner: AnyResource, grant: str, namespace: str) -> Finding:
    message = (
        f"whether {owner.key} allows namespace {namespace} depends on labels of that namespace, which are not among "
        f"these manifests: add the Namespace to see, or use from: Names in spec.{grant} there, as without a cluster "
        f"only the label {METADATA_NAME} is seen"
    )
    return Finding(holder.key, path, message, Severity.WARNING)


def _look_up(
    holder: AnyResource, ref: ObjectRef, path: Path, kind: type[R], inventory: Inventory
) -> tuple[R | None, list[Finding]]:
    place = ref.resolve(holder.namespace)
    found = inventory.get(kind, place)
    if found is not None or Key(kind.KIND, *place) in inventory.broken:
        return found, []
    others = [(other.namespace, other.name) for other in inventory.all(kind)]
    return None, [_missing(holder, path, kind.KIND, place, others)]


def _connection(connection: MilvusConnection, inventory: Inventory) -> Iterator[Finding]:
    embedding = connection.spec.embedding
    ref = embedding.dashscope.credential_ref if embedding else None
    if ref is None:
        return
    path: Path = ("spec", "embedding", "dashscope", "credentialRef")
    credential, missing = _look_up(connection, ObjectRef(name=ref.name), path, EmbeddingCredential, inventory)
    yield from missing
    if credential is not None:
        yield from _of_connection(connection, path, credential, (connection.namespace, connection.name))


def _of_connection(
    holder: AnyResource, path: Path, credential: EmbeddingCredential, connection: tuple[str, str]
) -> Iterator[Finding]:
    other = credential.spec.connection_ref.resolve(credential.namespace)
    if other != connection:
        message = (
            f"{credential.key} belongs to MilvusConnection {'/'.join(other)}, not to {'/'.join(connection)} "
            f"(CredentialOfOtherConnection): name a credential of this connection"
        )
        yield Finding(holder.key, path, message)


def _credential(credential: EmbeddingCredential, inventory: Inventory) -> Iterator[Finding]:
    path: Path = ("spec", "connectionRef")
    connection, missing = _look_up(credential, credential.spec.connection_ref, path, MilvusConnection, inventory)
    yield from missing
    place = credential.spec.connection_ref.resolve(credential.namespace)
    if credential.spec.label and place[0] != credential.namespace:
        message = (
            f"label may be chosen only in the namespace of the connection, {place[0]} (LabelNotAllowed): "
            f"leave label out, and it is generated"
        )
        yield Finding(credential.key, ("spec", "label"), message)
    if connection is not None and credential.spec.external is None:
        yield from _delivery(credential, connection, inventory)
    yield from _secret(credential, inventory)


def _delivery(credential: EmbeddingCredential, connection: MilvusConnection, inventory: Inventory) -> Iterator[Finding]:
    path: Path = ("spec", "connectionRef")
    embedding = connection.spec.embedding
    if embedding is None:
        message = (
            f"{connection.key} has no embedding block, so the key is delivered to nobody (EmbeddingNotConfigured): "
            f"add spec.embedding there"
        )
        yield Finding(credential.key, path, message)
    else:
        grant = "embedding.allowedNamespaces"
        yield from _granted(credential, path, connection, embedding.allowed_namespaces, inventory, name=grant)


def _secret(credential: EmbeddingCredential, inventory: Inventory) -> Iterator[Finding]:
    ref = credential.spec.api_key_secret_ref
    if ref is None:
        return
    path: Path = ("spec", "apiKeySecretRef")
    keys = inventory.secrets.get((credential.namespace, ref.name))
    if keys is None:
        yield _missing(credential, path, "Secret", (credential.namespace, ref.name), inventory.secrets)
    elif ref.key not in keys:
        message = f"Secret {credential.namespace}/{ref.name} has no key {ref.key} (SecretKeyMissing): correct key"
        yield Finding(credential.key, (*path, "key"), message)


def _model(holder: AnyResource, model: DashscopeModelSpec, path: Path, inventory: Inventory) -> Iterator[Finding]:
    """Yield the problems of a model's credential as seen from the namespace of the object that names it."""
    if model.credential_ref is None:
        return
    path = (*path, "credentialRef")
    credential, missing = _look_up(holder, model.credential_ref, path, EmbeddingCredential, inventory)
    yield from missing
    if credential is not None:
        yield from _granted(holder, path, credential, credential.spec.allowed_namespaces, inventory)


def _granted(
    holder: AnyResource,
    path: Path,
    owner: MilvusConnection | EmbeddingCredential | EmbeddingFunction,
    grant: Grant,
    inventory: Inventory,
    *,
    name: str = "allowedNamespaces",
) -> Iterator[Finding]:
    """Yield what keeps the namespace of `holder` from referring to `owner`; `name` is the field of the grant."""
    match inventory.allows(grant, holder.namespace, owner.namespace):
        case None:
            yield _undecided(holder, path, owner=owner, grant=name, namespace=holder.namespace)
        case False:
            yield _refused(holder, path, owner=owner, grant=name, namespace=holder.namespace)


def _collection(collection: MilvusCollection, inventory: Inventory) -> Iterator[Finding]:
    path: Path = ("spec", "connectionRef")
    connection, missing = _look_up(collection, collection.spec.connection_ref, path, MilvusConnection, inventory)
    yield from missing
    if connection is not None:
        yield from _granted(collection, path, connection, connection.spec.allowed_namespaces, inventory)
    for key in collection.spec.reserved_properties:
        message = "properties that begin with embedding.milvus.io/ belong to the operator (InvalidSpec): remove it"
        yield Finding(collection.key, ("spec", "properties", key), message)
    for position, function in enumerate(collection.spec.functions):
        yield from _function(collection, function, ("spec", "functions", position, "textEmbedding"), inventory)


def _function(
    collection: MilvusCollection, function: CollectionFunctionSpec, path: Path, inventory: Inventory
) -> Iterator[Finding]:
    embedding = function.text_embedding
    if embedding is None:
        return
    if embedding.dashscope is not None:
        path = (*path, "dashscope")
        yield from _model(collection, embedding.dashscope, path, inventory)
        yield from _serves(collection, embedding.dashscope, collection.namespace, path, inventory)
    elif embedding.function_ref is not None:
        path = (*path, "functionRef")
        shared, missing = _look_up(collection, embedding.function_ref, path, EmbeddingFunction, inventory)
        yield from missing
        if shared is not None:
            yield from _through(collection, function, shared, path, inventory)


def _through(
    collection: MilvusCollection,
    function: CollectionFunctionSpec,
    shared: EmbeddingFunction,
    path: Path,
    inventory: Inventory,
) -> Iterator[Finding]:
    """Yield the problems of using an EmbeddingFunction: grants are not transitive, and its dim is the output's."""
    yield from _granted(collection, path, shared, shared.spec.allowed_namespaces, inventory)
    model = shared.spec.dashscope
    if model.credential_ref is not None:
        credential = inventory.get(EmbeddingCredential, model.credential_ref.resolve(shared.namespace))
        if credential is not None:
            yield from _granted(collection, path, credential, credential.spec.allowed_namespaces, inventory)
    yield from _serves(collection, model, shared.namespace, path, inventory)
    dim = catalogue.resolve(model.model, model.dim, allow_unlisted=model.allow_unlisted).dim
    for position, field in enumerate(collection.spec.fields):
        if field.name == function.output_field and field.dim not in (None, dim):
            message = (
                f"dim is {field.dim}, but {shared.key} gives {dim} (DimensionMismatch): correct dim, or leave it out"
            )
            yield Finding(collection.key, ("spec", "fields", position, "dim"), message)


def _serves(
    collection: MilvusCollection, model: DashscopeModelSpec, namespace: str, path: Path, inventory: Inventory
) -> Iterator[Finding]:
    """Yield what keeps the model's credential from serving the collection's connection."""
    if model.credential_ref is None:
        return
    place = collection.spec.connection_ref.resolve(collection.namespace)
    credential = inventory.get(EmbeddingCredential, model.credential_ref.resolve(namespace))
    if credential is not None:
        yield from _of_connection(collection, path, credential, place)
    connection = inventory.get(MilvusConnection, place)
    embedding = connection.spec.embedding if connection else None
    if embedding is not None and embedding.delivery is Delivery.ENVIRONMENT:
        message = (
            "credentialRef cannot be used, as the connection delivers its one key by environment variables "
            "(LabelInEnvironment): remove credentialRef, or set delivery: File on the connection"
        )
        yield Finding(collection.key, path, message)


def _label_conflicts(inventory: Inventory) -> Iterator[Finding]:
    taken: dict[tuple[tuple[str, str], str], EmbeddingCredential] = {}
    for credential in sorted(inventory.all(EmbeddingCredential), key=lambda c: f"{c.namespace}/{c.name}"):
        place = credential.spec.connection_ref.resolve(credential.namespace)
        label = labels.effective(
            credential.spec.label,
            namespace=credential.namespace,
            name=credential.name,
            connection_namespace=place[0],
        )
        if label is None:
            continue
        holder = taken.setdefault((place, labels.fold(label)), credential)
        if holder is not credential:
            message = (
                f"label {label} is the same to Milvus as that of {holder.key} (LabelConflict): "
                f"Milvus ignores _ in labels, choose another one"
            )
            yield Finding(credential.key, ("spec", "label"), message)


def _name_conflicts(inventory: Inventory) -> Iterator[Finding]:
    """Yield names that two collections of one database want; names and aliases share one name space. Of a hand-over
    both have to declare the same.
    """
    taken: dict[tuple[tuple[str, str], str, str], MilvusCollection] = {}
    for collection in inventory.all(MilvusCollection):
        place = collection.spec.connection_ref.resolve(collection.namespace)
        wanted: list[tuple[Path, str]] = [(("spec", "collectionName"), collection.effective_collection_name)]
        wanted += [(("spec", "aliases", at), alias) for at, alias in enumerate(collection.spec.aliases)]
        for path, name in wanted:
            holder = taken.setdefault((place, collection.spec.database, name), collection)
            if holder is not collection and not _hands_over(holder, collection):
                message = f"the name {name} is wanted by {holder.key} too, in the same database: choose another name"
                yield Finding(collection.key, path, message)


def _hands_over(one: MilvusCollection, other: MilvusCollection) -> bool:
    def heir(collection: MilvusCollection) -> str:
        return collection.metadata.annotations.get(RELEASE_TO, "").strip()

    return heir(one) == f"{other.namespace}/{other.name}" or heir(other) == f"{one.namespace}/{one.name}"
