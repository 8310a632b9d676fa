"""From a deleted object to the Milvus that has its collection, or why there is none to be asked any more.

Gone is what a GET says; what cannot be read, or does not answer, is not gone.
"""

from milvus_embedding.api.collection import MilvusCollection
from milvus_embedding.api.connection import MilvusConnection
from milvus_embedding.api.references import Key
from milvus_embedding.clients.kube.port import KubeError
from milvus_embedding.clients.milvus.port import Milvus
from milvus_embedding.controllers.base import SecretFound, SecretMissing, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.collection.deletion.evidence import place_of
from milvus_embedding.controllers.collection.deletion.outcome import Stays, held_up
from milvus_embedding.controllers.gateway import Gateway
from milvus_embedding.controllers.references import admits


async def connection_of(collection: MilvusCollection, world: World) -> MilvusConnection:
    """Raises Stays or Blocked."""
    namespace, name = collection.spec.connection_ref.resolve(collection.namespace)
    found = world.get(MilvusConnection, namespace, name)
    gone = Stays(
        f"{place_of(collection)}: connection {namespace}/{name} is gone or does not admit namespace "
        f"{collection.namespace} any more"
    )
    if found is None:
        if await _exists(Key(MilvusConnection.KIND, namespace, name), world):
            raise held_up(f"connection {namespace}/{name} is looked for", retry_after=2)
        raise gone
    if not admits(world, found.spec.allowed_namespaces, collection.namespace, own_namespace=namespace):
        raise gone
    if found.spec.paused:
        raise held_up(f"spec.paused of connection {name} is true")
    return found


async def milvus_of(
    collection: MilvusCollection, connection: MilvusConnection, gateway: Gateway, world: World
) -> Milvus:
    """Raises Stays or Blocked."""
    if (ref := connection.spec.auth_secret_ref) is not None:
        read = await world.read_secret(connection.namespace, ref.name)
        if isinstance(read, SecretMissing):
            raise Stays(f"{place_of(collection)}: the login of connection {connection.name} is gone")
        if not isinstance(read, SecretFound):
            raise held_up(f"the login of connection {connection.name} cannot be read")
    try:
        return await gateway.client(connection, world)
    except Blocked as cause:
        raise held_up(f"connection {connection.name}: {cause.message}") from None


async def _exists(key: Key, world: World) -> bool:
    try:
        return await world.exists(key)
    except KubeError as error:
        raise held_up(f"connection {key.namespace}/{key.name} cannot be asked for ({error})", retry_after=2) from None
