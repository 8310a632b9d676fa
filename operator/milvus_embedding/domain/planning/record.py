"""Which optional values the spec declared when it was last applied, kept beside the owner's stamp.

Most of what Milvus holds is not ours to compare: its own defaults, and what nobody declared. A value that was declared
and is removed from the spec would look the same. The record tells the two apart, and survives the loss of a status.
Lists of names (fields, functions, partitions, aliases) need no record: there all entries are ours. Indexes are recorded
as somebody may search by one that was built by hand.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from milvus_embedding.domain.desired import Desired
from milvus_embedding.domain.ownership import PREFIX

RECORD: Final = PREFIX + "declared"
APPLIED: Final = PREFIX + "applied-plan"
"""The hash of the last approved plan that was carried out on the collection. Later hashes cover it, so that no approval
counts twice, even if the very same difference comes again, or the status was lost.
"""


def declared(want: Desired) -> frozenset[str]:
    """Paths of the optional values that the spec declares."""
    return frozenset(_declared(want))


def recorded(properties: Mapping[str, str]) -> frozenset[str]:
    """Paths in the record of a collection with these properties; none if it has no record or it cannot be read."""
    try:
        paths = json.loads(properties.get(RECORD, "[]"))
    except ValueError:
        return frozenset()
    return frozenset(p for p in paths if isinstance(p, str)) if isinstance(paths, list) else frozenset()


def written(paths: frozenset[str]) -> str:
    """The record as the value of a property."""
    return json.dumps(sorted(paths), separators=(",", ":"))


def _declared(want: Desired) -> Iterator[str]:
    schema = want.schema
    if schema.description:
        yield "spec.description"
    yield from (f"spec.properties[{key}]" for key in schema.properties if not key.startswith(PREFIX))
    for field in schema.fields:
        if field.description:
            yield f"spec.fields[{field.name}].description"
        if "mmap.enabled" in field.params:
            yield f"spec.fields[{field.name}].mmap"
    yield from (f"spec.functions[{f.name}].description" for f in schema.functions if f.description)
    for index in want.indexes:
        yield f"spec.indexes[{index.name or index.field}]"
        yield from (f"spec.indexes[{index.name or index.field}].params.{name}" for name in index.params)
    if want.resource_groups:
        yield "spec.load.resourceGroups"
