"""What the connection tells: its conditions, and the fields of its status."""

from collections.abc import Mapping
from dataclasses import dataclass

from milvus_embedding.api.connection import LabelState, MilvusConnection
from milvus_embedding.api.credential import EmbeddingCredential
from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import NATIVE_ENDPOINT, NATIVE_ENDPOINT_INTL
from milvus_embedding.controllers.base import World
from milvus_embedding.controllers.connection.rendering.composition import provider_url
from milvus_embedding.controllers.connection.rendering.rendering import Delivery
from milvus_embedding.controllers.connection.rolling.rollout import Rolled
from milvus_embedding.controllers.eligibility import LABELS_SHOWN, owner_of
from milvus_embedding.domain.conditions import Assertion, Truth, false, true, with_summary
from milvus_embedding.domain.delivery.rollout import CONDITION
from milvus_embedding.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether Milvus answers, where, and its version."""

    condition: Assertion
    endpoint: str
    version: str | None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What came of rendering; `delivery` None if it was blocked or there is nothing to render."""

    condition: Assertion | None
    delivery: Delivery | None
    retry_after: float | None = None


def rendered(connection: MilvusConnection, world: World, delivery: Delivery) -> Assertion:
    if delivery.against is not None:
        return delivery.against
    if (text := _incomplete(connection, delivery)) is not None:
        return false("ConfigRendered", Reason.CONFIG_INCOMPLETE, text)
    if delivery.refused:
        return false(
            "ConfigRendered",
            Reason.CONFIG_TOO_LARGE,
            f"no room for {', '.join(delivery.refused[:8])} in the Secret: remove credentials; the others are rendered",
        )
    if (text := _default_missing(connection, delivery)) is not None:
        return false("ConfigRendered", Reason.CONFIG_INCOMPLETE, text)
    url = provider_url(connection)
    if "/compatible-mode/" in url:
        native = NATIVE_ENDPOINT_INTL if "dashscope-intl" in url else NATIVE_ENDPOINT
        return true(
            "ConfigRendered",
            Reason.URL_SUSPECT,
            f"spec.embedding.dashscope.url {url} is the OpenAI-compatible address, and Milvus sends the native request "
            f"to it as it stands; {native} is the one that answers it",
        )
    return true("ConfigRendered", Reason.RENDERED, f"Secret {delivery.secret_name} is up to date")


def _incomplete(connection: MilvusConnection, delivery: Delivery) -> str | None:
    """A sentence if Milvus would lack a key that it had, or the default one. Of a credential that never had a key only
    its own status tells: whoever names it in a collection must not hold up the others.
    """
    owner = _default_owner(connection)
    lacking = [
        label
        for label in delivery.missing
        if label not in delivery.refused and (label in delivery.lost or _is_of(delivery.living.get(label), owner))
    ]
    if lacking:
        return f"no key for {', '.join(lacking[:8])}: see its EmbeddingCredential; the other labels are rendered"
    gone = [label for label in delivery.lost if label not in delivery.missing]
    if gone:
        return (
            f"the key of {', '.join(gone[:8])} was lost with the rendered Secret, collections may name it, and no "
            "EmbeddingCredential has it: create that again, or add the label to spec.embedding.releaseLabels"
        )
    return None


def _is_of(credential: EmbeddingCredential | None, owner: str | None) -> bool:
    return credential is not None and owner_of(credential) == owner


def _default_owner(connection: MilvusConnection) -> str | None:
    ref = connection.spec.embedding.dashscope.credential_ref if connection.spec.embedding else None
    return f"{connection.namespace}/{ref.name}" if ref is not None else None


def _default_missing(connection: MilvusConnection, delivery: Delivery) -> str | None:
    """A sentence if the default key has no label: its credential is not there, and none is remembered of it."""
    owner = _default_owner(connection)
    if owner is None or any(entry.owner == owner for entry in delivery.memory.values()):
        return None
    if any(owner_of(credential) == owner for credential in delivery.living.values()):
        return None
    name = owner.partition("/")[2]
    if owner in delivery.wanting:
        return (
            f"spec.embedding.dashscope.credentialRef: EmbeddingCredential {name} has no label, see its Ready; "
            "the provider has no default key meanwhile"
        )
    return (
        f"spec.embedding.dashscope.credentialRef: there is no EmbeddingCredential {name} for this connection in "
        "its namespace; create it, or leave credentialRef out"
    )


def conditions(
    connection: MilvusConnection,
    config: Config,
    reach: Reach,
    rolled: Rolled | None,
    *,
    replaced: Assertion | None = None,
) -> tuple[Assertion, ...]:
    """All of them; Ready first. `replaced` is Ready of a connection that leads to another Milvus than before."""
    listed = [reach.condition]
    if config.condition is not None:
        listed.append(config.condition)
        listed.append(rolled.condition if rolled is not None else _nothing_rendered())
    ready = _ready(listed, config)
    if replaced is not None and reach.condition.status is Truth.TRUE:
        ready = replaced
    if config.delivery is not None:
        listed.append(_retained(config.delivery))
    return with_summary([ready, *listed])


def _nothing_rendered() -> Assertion:
    return false(CONDITION, Reason.NOT_DELIVERED, "nothing is rendered yet, see ConfigRendered")


def _ready(listed: list[Assertion], config: Config) -> Assertion:
    """The first that is False; what cannot be known, or is only told, is against nothing."""
    for condition in listed:
        if condition.status is Truth.FALSE:
            return false("Ready", condition.reason, condition.message)
    if config.delivery is None:
        return true("Ready", Reason.READY, "Milvus answers")
    return true("Ready", Reason.READY, f"Milvus answers; {len(config.delivery.memory)} label(s) rendered")


def _retained(delivery: Delivery) -> Assertion:
    if not delivery.retained:
        return false("LabelsRetained", Reason.NO_LABELS_RETAINED, "every rendered label has its credential")
    text = ", ".join(f"{label} ({delivery.uses.get(label, 'unknown')})" for label in delivery.retained[:8])
    more = f" and {len(delivery.retained) - 8} more" if len(delivery.retained) > 8 else ""
    return true(
        "LabelsRetained",
        Reason.LABELS_RETAINED,
        f"labels without a credential that collections may name (number of collections): {text}{more}; "
        "spec.embedding.releaseLabels drops them now",
    )


def fields(
    connection: MilvusConnection, world: World, config: Config, reach: Reach, rolled: Rolled | None
) -> Mapping[str, object]:
    """Of what this pass could not learn the present status is kept."""
    kept = former(connection)
    told: dict[str, object] = {
        "endpoint": reach.endpoint or connection.spec.uri or kept.get("endpoint"),
        "serverVersion": reach.version or kept.get("serverVersion"),
        "secretName": connection.secret_name,
    }
    if config.delivery is None or rolled is None:
        names = ("config", "rollout", "labels") if connection.spec.embedding is not None else ()
        return told | {name: kept[name] for name in names if name in kept}
    return told | {
        "config": rolled.config,
        "rollout": rolled.rollout,
        "labels": _labels(connection, world, config.delivery)[:LABELS_SHOWN] or None,
    }


def _labels(connection: MilvusConnection, world: World, delivery: Delivery) -> list[dict[str, object]]:
    shown = []
    for label, entry in sorted(delivery.memory.items()):
        namespace, _, name = entry.owner.partition("/")
        # What lost its key is not rendered, and its credential must not take it for that.
        retained = label in delivery.retained or label in delivery.lost
        count = delivery.uses.get(label) if retained else world.used_by(Key("EmbeddingCredential", namespace, name))
        shown.append(_label(label, (namespace, name), LabelState.RETAINED if retained else LabelState.ACTIVE, count))
        shown[-1]["since"] = entry.since
        if label in delivery.rotations and (rotation := delivery.rotations[label].to_yaml()):
            shown[-1]["rotation"] = rotation
    released = connection.spec.embedding.release_labels if connection.spec.embedding else ()
    for found, credential in delivery.wanting.values():
        if found in released:
            shown.append(_label(found, (credential.namespace, credential.name), LabelState.RELEASED, None))
    return shown


def _label(label: str, owner: tuple[str, str], state: LabelState, collections: int | None) -> dict[str, object]:
    entry: dict[str, object] = {"label": label, "credential": {"namespace": owner[0], "name": owner[1]}}
    entry["state"] = str(state)
    if collections is not None:
        entry["collections"] = collections
    return entry


def former(connection: MilvusConnection) -> dict[str, object]:
    """The fields of the present status, to keep what this pass could not learn."""
    dumped = connection.status.to_yaml()
    return {name: value for name, value in dumped.items() if name not in ("conditions", "observedGeneration") and value}
