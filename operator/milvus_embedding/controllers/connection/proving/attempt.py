"""The calls that prove a key through Milvus, each with the look that has to come before it.

What a killed attempt leaves behind bears our stamp and our mark, and the next one drops it. That nothing is asked of
Kubernetes before dropping is on purpose: what is dropped holds nothing of anybody's.
"""

from milvus_embedding.clients.milvus.port import Milvus, MilvusError, Unimplemented
from milvus_embedding.controllers.connection.proving.proofs import InTheWay
from milvus_embedding.domain.canary import DATABASE, FUNCTION, Temporary
from milvus_embedding.domain.schema import Description


async def clear(milvus: Milvus, temporary: Temporary) -> str | None:
    """Drops what there is of ours; its id, None if there was nothing. Raises MilvusError or InTheWay."""
    found = await ours(milvus, temporary)
    if found is None:
        return None
    await milvus.drop_collection(DATABASE, temporary.name)
    return found.id


async def create(milvus: Milvus, temporary: Temporary, label: str | None) -> None:
    """Milvus embeds one text with the label's key before it makes anything. Raises MilvusError."""
    await milvus.create_collection(DATABASE, temporary.name, temporary.schema(label))


async def require_made(milvus: Milvus, temporary: Temporary, label: str | None) -> None:
    """The creation is proof only if the function is there: a server before 2.6 drops it silently and calls nobody.

    Raises MilvusError or InTheWay.
    """
    made = await ours(milvus, temporary)
    if made is None:
        raise MilvusError(f"Collection {temporary.name} was created and is not there.")
    if not names(made, label):
        await milvus.drop_collection(DATABASE, temporary.name)
        raise Unimplemented(f"Milvus made {temporary.name} without its function; keys are of use from Milvus 2.6 on.")


async def ours(milvus: Milvus, temporary: Temporary) -> Description | None:
    """What stands under the name, None if nothing does. Raises MilvusError, or InTheWay if it is not ours."""
    found = await milvus.describe(DATABASE, temporary.name)
    if found is not None and (objection := temporary.objection(found)) is not None:
        raise InTheWay(objection)
    return found


def names(found: Description, label: str | None) -> bool:
    """Whether it is the collection that proves this label."""
    named = {function.name: function.params.get("credential") for function in found.schema.functions}
    return named == {FUNCTION: label}
