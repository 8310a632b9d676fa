"""The annotation and label names that users and pod templates carry; the operator writes only `CONFIG_HASH` itself."""

from typing import Final

PREFIX: Final = "embedding.milvus.io/"

FORCE_RELEASE: Final = PREFIX + "force-release"
RELEASE_TO: Final = PREFIX + "release-to"
APPROVED_PLAN: Final = PREFIX + "approved-plan"
WRITERS_PAUSED: Final = PREFIX + "writers-paused"
DELETE_ADOPTED: Final = PREFIX + "delete-adopted"
APPROVED_ROLLOUT: Final = PREFIX + "approved-rollout"
CONFIRM_DELETIONS: Final = PREFIX + "confirm-deletions"
RECONCILE_REQUESTED_AT: Final = PREFIX + "reconcile-requested-at"

CONFIG_HASH: Final = PREFIX + "config-hash"
"""On pod templates: the hash of the configuration that their pods were started with."""

CONNECTION_LABEL: Final = PREFIX + "connection"
"""Label of a rendered Secret: the name of the connection that it belongs to."""

FINALIZER: Final = PREFIX + "collection"
"""On collections under deletionPolicy Delete and DeleteIfEmpty only."""
