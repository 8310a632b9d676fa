"""What both ways of the demo are given."""

from dataclasses import dataclass, field
from pathlib import Path

from milvus_embedding.devkit.demo.narration import Narrator
from milvus_embedding.devkit.demo.quickstart import Changes, Quickstart
from milvus_embedding.domain.scrub import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`workspace` is a private folder that goes with the demo; `keys` are all API keys, to check that none is shown."""

    narrator: Narrator
    quickstart: Quickstart
    changes: Changes
    workspace: Path
    keys: set[str] = field(repr=False)
    scrubber: Scrubber

    @property
    def port(self) -> int:
        """The port that Milvus has to listen on."""
        return int(self.changes.uri.rpartition(":")[2])
