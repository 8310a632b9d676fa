"""Schemas that several tests use."""

from milvus_embedding.domain.schema import Field, Function, FunctionKind, Schema

ID = Field(name="id", type="INT64", primary_key=True, auto_id=True)
DOCUMENT = Field(name="document", type="VARCHAR", params={"max_length": "9000"})
DENSE = Field(name="dense", type="FLOAT_VECTOR", params={"dim": "1024"})
PLAIN = Schema(fields=(ID, DOCUMENT, DENSE))


def embedding(*, label: str = "apikey_dev", dim: str = "1024", **params: str) -> Schema:
    """The manual's collection, with function `ali`."""
    function = Function(
        name="ali",
        kind=FunctionKind.TEXT_EMBEDDING,
        inputs=("document",),
        outputs=("dense",),
        params={"provider": "dashscope", "model_name": "text-embedding-v3", "credential": label, **params},
    )
    dense = Field(name="dense", type="FLOAT_VECTOR", params={"dim": dim})
    return Schema(fields=(ID, DOCUMENT, dense), functions=(function,))
