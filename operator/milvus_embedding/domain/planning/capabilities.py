"""What a Milvus of a given version can change in place.

Only what the planner decides by is here. Versions that cannot be read promise nothing and forbid nothing: everything
is tried, and the server's answer and the read-back decide.
"""

from dataclasses import dataclass
from typing import Final

from milvus_embedding.domain.versions import FUNCTIONS_SINCE, parse

UNKNOWN: Final = "unknown"

CONNECTION_PARAMS: Final = frozenset(
    {"url", "credential", "timeout_ms", "max_client_batch_size", "region", "location", "projectid", "user"}
)
"""The parameters of a function that Milvus 3.x lets one alter; every other one is bound to the vectors."""

_FUNCTION_ALTERATION = (2, 6, 7)
_TARGET_ONLY = (2, 6, 9)
_BINDING = (3, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """`version` is for messages. `alterable_params` None: all parameters of a function may be altered."""

    version: str
    functions: bool
    alters_functions: bool
    alters_function_text: bool
    adds_and_drops_functions: bool
    checks_target_only: bool
    alterable_params: frozenset[str] | None
    alters_fields: bool
    adds_vector_fields: bool
    adds_function_fields: bool
    drops_fields: bool
    disables_dynamic_field: bool
    drops_scalar_index_loaded: bool
    changes_replicas_loaded: bool

    def alters_param(self, name: str) -> bool:
        return self.alters_functions and (self.alterable_params is None or name in self.alterable_params)


def capabilities(version: str | None) -> Capabilities:
    """Of the server's version as it tells it: v2.6.9 -> function alteration, checked for the target alone."""
    parsed = parse(version)
    known = parsed is not None
    number = parsed or _BINDING
    binds = known and number >= _BINDING
    alters = number >= _FUNCTION_ALTERATION
    return Capabilities(
        version=".".join(map(str, parsed)) if parsed else UNKNOWN,
        functions=number >= FUNCTIONS_SINCE,
        alters_functions=alters,
        alters_function_text=alters and not binds,
        adds_and_drops_functions=alters and not binds,
        checks_target_only=number >= _TARGET_ONLY,
        alterable_params=CONNECTION_PARAMS if binds else None,
        alters_fields=number >= FUNCTIONS_SINCE,
        adds_vector_fields=number >= _BINDING,
        adds_function_fields=number >= _BINDING,
        drops_fields=number >= _BINDING,
        disables_dynamic_field=number >= _BINDING,
        drops_scalar_index_loaded=binds,
        changes_replicas_loaded=number >= FUNCTIONS_SINCE,
    )
