"""Conditions as Kubernetes defines them; which there are and what their reasons mean is the domain's."""

from datetime import datetime
from enum import StrEnum

from milvus_embedding.api.model import Model, StatusModel


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    type: str
    status: ConditionStatus
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: datetime | None = None


class CommonStatus(StatusModel):
    """What all four statuses have. observed_generation is -1 until the object was seen."""

    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of this type, None if it is absent."""
        return next((c for c in self.conditions if c.type == type_), None)
