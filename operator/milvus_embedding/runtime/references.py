"""Who read what: a change of an object wakes those whose last reconcile read it, whether it existed or not."""

from collections.abc import Iterable

from milvus_embedding.api.references import Key


class RefIndex:
    """Readers and what they read, both ways."""

    def __init__(self) -> None:
        self._reads: dict[Key, frozenset[Key]] = {}
        self._readers: dict[Key, set[Key]] = {}

    def add(self, reader: Key, read: Key) -> None:
        """Remembers a read at once: a change may come before the reconcile that read it ends."""
        if read not in (known := self._reads.get(reader, frozenset())):
            self._reads[reader] = known | {read}
            self._readers.setdefault(read, set()).add(reader)

    def replace(self, reader: Key, reads: Iterable[Key]) -> None:
        """These are all reads of the reconcile that just finished."""
        after = frozenset(reads)
        before = self._reads.get(reader, frozenset())
        for key in before - after:
            self._forget(reader, key)
        for key in after - before:
            self._readers.setdefault(key, set()).add(reader)
        if after:
            self._reads[reader] = after
        else:
            self._reads.pop(reader, None)

    def drop(self, reader: Key) -> None:
        """The reader is gone."""
        self.replace(reader, ())

    def readers(self, read: Key) -> frozenset[Key]:
        """Who has to look again when that changes."""
        return frozenset(self._readers.get(read, ()))

    def reads(self, reader: Key) -> frozenset[Key]:
        """What the reader read."""
        return self._reads.get(reader, frozenset())

    def _forget(self, reader: Key, read: Key) -> None:
        readers = self._readers.get(read)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[read]
