"""A plan over all manifests, as plain values: what would be done, what waits, what is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from milvus_embedding.api.collection import ChangeClass, PlanEstimate
from milvus_embedding.files.planning.configuration import ConfigurationPlan


class Fate(StrEnum):
    """What becomes of a step, or of a collection (the gravest of its steps')."""

    NONE = "None"
    RUNS = "Runs"
    WAITS = "Waits"
    HELD = "Held"
    REFUSED = "Refused"
    UNSUPPORTED = "Unsupported"


class Outcome(StrEnum):
    """What apply would do with a collection."""

    UNCHANGED = "Unchanged"
    CREATE = "Create"
    ADOPT = "Adopt"
    HAND_OVER = "HandOver"
    CHANGE = "Change"
    PAUSED = "Paused"
    BLOCKED = "Blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """`why` is a sentence, empty for what runs. `loses_rows`: with the step go `rows`, None if unknown."""

    action: str
    path: str
    class_: ChangeClass
    before: str
    after: str
    fate: Fate
    why: str = ""
    loses_rows: bool = False
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """`collection` is database.name in Milvus, `id` Milvus' own, empty for what would be created. `hash` is what an
    approval names. `creates` says in words what a new collection has. `reason`, `message`: why there is no plan.
    """

    namespace: str
    name: str
    outcome: Outcome
    collection: str = ""
    id: str = ""
    hash: str = ""
    class_: ChangeClass | None = None
    steps: tuple[PlannedStep, ...] = ()
    creates: tuple[str, ...] = ()
    creates_database: str = ""
    owner_before: str = ""
    owner_after: str = ""
    estimate: PlanEstimate | None = None
    reason: str = ""
    message: str = ""

    def count(self, *fates: Fate) -> int:
        return sum(step.fate in fates for step in self.steps)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An object that would not become Ready. `subject`: kind namespace/name."""

    subject: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """All in the order of their names."""

    owner: str
    configurations: Sequence[ConfigurationPlan]
    collections: Sequence[CollectionPlan]
    troubles: Sequence[Trouble]

    @property
    def status(self) -> int:
        """The exit status: 0 nothing to do, 2 changes, 3 an approval is waited for, 1 something cannot be done."""
        refused = any(c.count(Fate.REFUSED, Fate.UNSUPPORTED) for c in self.collections)
        if refused or self.troubles or self.having(Outcome.BLOCKED):
            return 1
        if any(c.count(Fate.WAITS) for c in self.collections):
            return 3
        changing = self.having(Outcome.CREATE, Outcome.ADOPT, Outcome.HAND_OVER) or any(
            c.count(Fate.RUNS) for c in self.collections
        )
        return 2 if changing or any(c.changes for c in self.configurations) else 0

    def having(self, *outcomes: Outcome) -> int:
        return sum(c.outcome in outcomes for c in self.collections)
