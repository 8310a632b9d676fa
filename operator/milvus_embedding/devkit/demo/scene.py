"""What both ways of the demo are given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from milvus_embedding.devkit.demo.narration import Narrator
from milvus_embedding.devkit.demo.quickstart import Changes, Quickstart
from milvus_embedding.domain.scrub import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`workspace` is a private folder that goes with the demo; `keys` are all API keys, to check that none is shown.

    `hold` is called with what users can do now, while everything still runs; it returns when they have seen enough.
    """

    narrator: Narrator
    quickstart: Quickstart
    changes: Changes
    workspace: Path
    keys: set[str] = field(repr=False)
    scrubber: Scrubber
    hold: Callable[[str], None] = lambda _: None

    @property
    def port(self) -> int:
        """The port that Milvus has to listen on."""
        return int(self.changes.uri.rpartition(":")[2])
