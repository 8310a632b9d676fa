"""Which entries of a list break a rule about the whole list. The API server names only the list."""

from collections.abc import Callable, Iterator, Sequence

Holds = Callable[[Sequence[object]], bool]
"""Whether the rule holds if the list has these entries only."""


def offending(holds: Holds, entries: Sequence[object]) -> Iterator[tuple[int, int | None]]:
    """Yield the position of each entry that breaks a rule, and of the one that it collides with, if it is one.

    Entries are taken one by one, and one that breaks what held without it is left out: of two primary keys it is the
    second. Of a list in which something is missing no entry is to blame, and nothing is yielded.
    """
    kept: list[int] = []
    held = holds([])
    for at, entry in enumerate(entries):
        holds_now = holds([entries[position] for position in (*kept, at)])
        if held and not holds_now:
            alone = holds([entry])
            yield at, next((k for k in kept if alone and not holds([entries[k], entry])), None)
            continue
        kept.append(at)
        held = holds_now
