"""The function's pass: what model and dimension it comes to, and whether its credential may be used."""

from milvus_embedding.api.function import EmbeddingFunction
from milvus_embedding.api.references import Key
from milvus_embedding.controllers.base import Outcome, World
from milvus_embedding.controllers.blocked import Blocked
from milvus_embedding.controllers.embedding import credential_of, effective_model
from milvus_embedding.controllers.unsupported import refuse_unsupported
from milvus_embedding.domain.catalogue import PROVIDER, EffectiveModel
from milvus_embedding.domain.conditions import Draft, false, true, with_summary
from milvus_embedding.domain.reasons import Reason


class FunctionController:
    """Implements controllers.base.Controller."""

    async def reconcile(self, resource: EmbeddingFunction, world: World) -> Outcome:
        try:
            refuse_unsupported(resource)
            path = "spec.dashscope"
            model = effective_model(resource.spec.dashscope, path=path)
            if (ref := resource.spec.dashscope.credential_ref) is not None:
                credential_of(world, ref, path=f"{path}.credentialRef", holder=resource.namespace)
        except Blocked as blocked:
            conditions = with_summary(
                [
                    false("Ready", blocked.reason, blocked.message),
                    false("Resolved", blocked.reason, blocked.message),
                ]
            )
            return Outcome(status=Draft(resource.metadata.generation, conditions, _fields(resource, world, None)))
        text = f"{model.name} with {model.dim} dimensions"
        conditions = (true("Ready", Reason.READY, text), true("Resolved", Reason.RESOLVED, text))
        return Outcome(status=Draft(resource.metadata.generation, conditions, _fields(resource, world, model)))

    async def forget(self, key: Key) -> None:
        """Nothing is held in memory for a function."""


def _fields(function: EmbeddingFunction, world: World, model: EffectiveModel | None) -> dict[str, object]:
    fields: dict[str, object] = {"usedBy": world.used_by(function.key)}
    if model is not None:
        effective = {"provider": PROVIDER, "model": model.name, "dim": model.dim, "maxTokens": model.max_tokens}
        fields["effective"] = {name: value for name, value in effective.items() if value is not None}
    return fields
