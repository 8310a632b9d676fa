"""EmbeddingFunction: which model embeds, for many collections. What a model can do is in the domain's catalogue."""

from typing import ClassVar

from milvus_embedding.api.conditions import CommonStatus
from milvus_embedding.api.credential import Provider
from milvus_embedding.api.metadata import Resource
from milvus_embedding.api.model import Model, StatusModel
from milvus_embedding.api.references import Grant, ObjectRef


class DashscopeModelSpec(Model):
    """A model of DashScope; dim None is the model's default dimension."""

    model: str
    dim: int | None = None
    credential_ref: ObjectRef | None = None
    allow_unlisted: bool = False


class FunctionSpec(Model):
    dashscope: DashscopeModelSpec
    allowed_namespaces: Grant = Grant()


class EffectiveModel(StatusModel):
    provider: Provider | None = None
    model: str | None = None
    dim: int | None = None
    max_tokens: int | None = None


class FunctionStatus(CommonStatus):
    effective: EffectiveModel = EffectiveModel()
    used_by: int | None = None


class EmbeddingFunction(Resource):
    KIND: ClassVar[str] = "EmbeddingFunction"
    PLURAL: ClassVar[str] = "embeddingfunctions"

    spec: FunctionSpec
    status: FunctionStatus = FunctionStatus()
