"""Each cause of failure has a reason while it lasts, on the object that has it and on the collection that suffers from
it; when it goes away everything becomes Ready by itself. The product's bound is 5 s: measured times are shown at the
end of the run, and what is asserted leaves room for a busy machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import manifests
from tests.e2e.lab import eventually
from tests.e2e.stage import COLLECTION, CONNECTION, CREDENTIAL, FUNCTION, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import Lab, OperatorProcess

Measured = dict[str, float]
WITHIN = 15.0
RENDERED = "milvus-embedding-config"


def rendered(stage: Stage) -> str:
    """The rendered section, "" without the Secret."""
    data = stage.lab.secret_data(stage.namespace, RENDERED) or {}
    return data.get("embedding.yaml", b"").decode()


def recovers(stage: Stage, measured: Measured, after: str, *kinds: str, name: str = "") -> None:
    measured[f"Ready after {after}"] = stage.seconds_until_ready(*(kinds or (COLLECTION,)), name=name, within=WITHIN)


def test_a_secret_that_is_missing(stage: Stage, measured: Measured) -> None:
    stage.apply(stage.connection(), stage.credential(), stage.collection())
    stage.reason(CREDENTIAL, "SecretNotFound")
    assert stage.condition(CREDENTIAL, "SecretFound")["status"] == "False"
    waiting = stage.reason(COLLECTION, "CredentialNotReady")
    eventually("the cause on the collection", lambda: "SecretNotFound" in stage.condition(COLLECTION)["message"])
    assert waiting["status"] == "False"

    stage.apply(stage.secret())

    recovers(stage, measured, "the missing Secret was created", CREDENTIAL, COLLECTION)


def test_a_secret_without_the_key(stage: Stage, measured: Measured) -> None:
    other = manifests.secret(stage.namespace, "dashscope-dev", note="the key comes later")
    stage.apply(stage.connection(), other, stage.credential(), stage.collection())
    assert "apikey" in stage.reason(CREDENTIAL, "SecretKeyMissing")["message"]
    stage.reason(COLLECTION, "CredentialNotReady")

    stage.apply(stage.secret())

    recovers(stage, measured, "the Secret got its key", CREDENTIAL, COLLECTION)


def test_an_empty_key(stage: Stage, measured: Measured) -> None:
    empty = manifests.secret(stage.namespace, "dashscope-dev", apikey="\n")
    stage.apply(stage.connection(), empty, stage.credential(), stage.collection())
    stage.reason(CREDENTIAL, "KeyEmpty")
    stage.reason(COLLECTION, "CredentialNotReady")

    stage.apply(stage.secret())

    recovers(stage, measured, "the key was filled in", CREDENTIAL, COLLECTION)


def test_a_wrong_key_that_is_corrected(stage: Stage, measured: Measured) -> None:
    wrong = stage.lab.new_key("wrong")
    stage.apply(stage.connection(), stage.secret(wrong), stage.credential(), stage.collection())
    stage.reason(CREDENTIAL, "KeyRejected")
    assert stage.condition(CREDENTIAL, "KeyValid")["status"] == "False"
    stage.reason(COLLECTION, "CredentialNotReady")
    eventually("the cause on the collection", lambda: "KeyRejected" in stage.condition(COLLECTION)["message"])

    stage.apply(stage.secret())

    recovers(stage, measured, "the wrong key was corrected", CREDENTIAL, COLLECTION)


def test_a_key_that_dashscope_accepts_later(stage: Stage, measured: Measured) -> None:
    stage.site.dashscope.keys.clear()
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection())
    stage.reason(CREDENTIAL, "KeyRejected")
    stage.reason(COLLECTION, "CredentialNotReady")

    stage.site.dashscope.keys.add(stage.key)

    recovers(stage, measured, "DashScope accepted the key", CREDENTIAL, COLLECTION)


def test_a_key_that_milvus_has_and_dashscope_rejects(stage: Stage, measured: Measured) -> None:
    """Without a probe the first to hear of the 401 is the collection."""
    stage.site.dashscope.keys.clear()
    unprobed = stage.credential(probe={"enabled": False})
    stage.apply(stage.connection(), stage.secret(), unprobed, stage.collection())
    stage.reason(COLLECTION, "KeyRejected")

    stage.site.dashscope.keys.add(stage.key)

    recovers(stage, measured, "DashScope accepted the key that Milvus has")


def test_a_rotation_to_a_wrong_key_keeps_the_good_one(stage: Stage, measured: Measured) -> None:
    stage.bring_up()
    stage.apply(stage.secret(stage.lab.new_key("wrong")))

    stage.reason(CREDENTIAL, "KeyRejected")

    assert stage.key in rendered(stage)
    assert stage.condition(COLLECTION, "Available")["status"] == "True"
    stage.apply(stage.secret())
    recovers(stage, measured, "a rotation was taken back", CREDENTIAL, COLLECTION)


def test_a_secret_that_goes_later_leaves_the_last_good_key(stage: Stage, measured: Measured) -> None:
    stage.bring_up()
    calls = stage.site.milvus.changing_calls
    stage.lab.delete("Secret", stage.namespace, "dashscope-dev")

    assert "keeps the last good key" in stage.reason(CREDENTIAL, "SecretNotFound")["message"]

    assert stage.key in rendered(stage)
    stage.ready(COLLECTION)
    stage.apply(stage.secret())
    recovers(stage, measured, "a Secret that went came back", CREDENTIAL, COLLECTION)
    assert stage.site.milvus.changing_calls == calls


def test_a_rendered_secret_that_is_deleted_is_written_again(stage: Stage) -> None:
    stage.bring_up()
    before = rendered(stage)

    stage.lab.delete("Secret", stage.namespace, RENDERED)

    assert eventually("written again", lambda: rendered(stage), within=10) == before


def test_a_secret_of_others_under_the_rendered_ones_name(stage: Stage, measured: Measured) -> None:
    stage.apply(manifests.secret(stage.namespace, RENDERED, theirs="do not touch"))
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection())
    stage.reason(CONNECTION, "SecretNotOurs")
    stage.reason(COLLECTION, "CredentialNotReady")
    assert stage.lab.secret_data(stage.namespace, RENDERED) == {"theirs": b"do not touch"}

    stage.lab.delete("Secret", stage.namespace, RENDERED)

    recovers(stage, measured, "the name of the rendered Secret was free", CONNECTION, CREDENTIAL, COLLECTION)


def test_a_label_that_milvus_does_not_have(stage: Stage, measured: Measured) -> None:
    by_hand = manifests.credential(stage.namespace, "by-hand", label="by_hand", external={})
    collection = stage.collection(credential_ref={"name": "by-hand"})
    stage.apply(stage.connection(), by_hand, collection)
    stage.lab.wait_condition(CREDENTIAL, stage.namespace, "by-hand", reason="External")
    stage.reason(COLLECTION, "CredentialNotDelivered")

    stage.site.base.write_text(f"credential:\n  by_hand:\n    apikey: {stage.key}\n")

    recovers(stage, measured, "milvus.yaml got the label")


def test_a_dimension_that_is_not_the_models(stage: Stage, measured: Measured) -> None:
    small = manifests.function(
        stage.namespace,
        "small",
        dashscope={"model": "text-embedding-v3", "dim": 512, "credentialRef": {"name": "apikey-dev"}},
    )
    right = manifests.function(
        stage.namespace,
        "right",
        dashscope={"model": "text-embedding-v3", "dim": 1024, "credentialRef": {"name": "apikey-dev"}},
    )
    wrong = stage.collection(function_ref={"name": "small"})
    stage.apply(stage.connection(), stage.secret(), stage.credential(), small, right, wrong)
    message = stage.reason(COLLECTION, "DimensionMismatch")["message"]
    assert "spec.fields[dense].dim is 1024" in message
    assert "512" in message
    stage.ready(FUNCTION, "small")

    stage.apply(stage.collection(function_ref={"name": "right"}))

    recovers(stage, measured, "the function was corrected")


def test_a_dimension_that_the_provider_refuses(stage: Stage, measured: Measured) -> None:
    """Unlisted models have no catalogue: Milvus' live check is the first to know."""
    model = {"model": "text-embedding-v3", "dim": 1000, "allowUnlisted": True, "credentialRef": {"name": "apikey-dev"}}
    unlisted = manifests.function(stage.namespace, "unlisted", dashscope=model)
    collection = stage.collection(function_ref={"name": "unlisted"}, dim=1000)
    stage.apply(stage.connection(), stage.secret(), stage.credential(), unlisted, collection)
    condition = eventually(
        "Milvus' refusal",
        lambda: (found := stage.condition(COLLECTION)).get("reason") in REFUSED and found,
        within=WITHIN,
    )
    assert "creating collection docs" in condition["message"]

    stage.lab.delete(COLLECTION, stage.namespace, "docs")
    stage.wait_gone(COLLECTION)
    right = manifests.function(
        stage.namespace,
        "docs-v3",
        dashscope={"model": "text-embedding-v3", "credentialRef": {"name": "apikey-dev"}},
    )
    stage.apply(right, stage.collection(function_ref={"name": "docs-v3"}))

    recovers(stage, measured, "a dimension that the provider has was chosen")


REFUSED = ("DimensionMismatch", "ModelNotFound", "ProviderError", "RejectedByMilvus")


def test_milvus_down(stage: Stage, measured: Measured) -> None:
    stage.bring_up()
    stage.site.milvus.stop()
    stage.reason(CONNECTION, "Unreachable")
    assert stage.condition(CONNECTION, "Reachable")["status"] == "False"
    stage.reason(COLLECTION, "Unreachable")
    assert stage.condition(COLLECTION, "Available")["status"] == "Unknown"
    stage.apply(stage.collection("late"))
    stage.reason(COLLECTION, "Unreachable", name="late")

    stage.site.milvus.start()

    recovers(stage, measured, "Milvus came back", CONNECTION, COLLECTION)
    recovers(stage, measured, "Milvus came back, and the collection was new", name="late")


def test_milvus_not_there_from_the_start(stage: Stage, measured: Measured) -> None:
    stage.site.milvus.stop()
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection())
    stage.reason(CONNECTION, "Unreachable")
    stage.reason(COLLECTION, "Unreachable")
    # Milvus' pods mount the Secret, so it has to come first.
    stage.ready(CREDENTIAL)
    assert stage.key in rendered(stage)

    stage.site.milvus.start()

    recovers(stage, measured, "Milvus was there for the first time", CONNECTION, CREDENTIAL, COLLECTION)


def test_milvus_restarted(stage: Stage, measured: Measured) -> None:
    stage.bring_up()

    stage.site.milvus.restart()
    stage.apply(stage.collection("after-the-restart"))

    recovers(stage, measured, "Milvus was restarted, and a collection was new", name="after-the-restart")
    recovers(stage, measured, "Milvus was restarted", CONNECTION, COLLECTION)


def test_a_database_that_is_missing(stage: Stage, measured: Measured) -> None:
    stage.apply(stage.connection(), stage.secret(), stage.credential(), stage.collection(database="archive"))
    message = stage.reason(COLLECTION, "DatabaseNotFound")["message"]
    assert "create it" in message
    stage.ready(CONNECTION)

    with stage.site.client() as client:
        client.create_database("archive")

    recovers(stage, measured, "the database was created")


@pytest.fixture
def guarded(lab: Lab, operator: OperatorProcess) -> Iterator[Stage]:
    """A Milvus with authorization on."""
    with Stage(lab, users={"root": lab.register("pw-test-Tr0ub4dor&3-guard")}) as opened:
        yield opened
    assert operator.exit_code() is None


def login(stage: Stage, password: str) -> manifests.Body:
    return manifests.secret(stage.namespace, "milvus-auth", username="root", password=password)


def password_of(stage: Stage) -> str:
    return (stage.site.milvus.users or {})["root"]


def test_a_login_that_is_missing_then_wrong(guarded: Stage, measured: Measured) -> None:
    connection = guarded.connection(authSecretRef={"name": "milvus-auth"})
    guarded.apply(connection, guarded.secret(), guarded.credential(), guarded.collection())
    assert "milvus-auth" in guarded.reason(CONNECTION, "SecretNotFound")["message"]
    guarded.reason(COLLECTION, "SecretNotFound")

    guarded.apply(login(guarded, guarded.lab.register("pw-test-not-the-password")))
    assert "spec.authSecretRef" in guarded.reason(CONNECTION, "AuthenticationFailed")["message"]
    guarded.reason(COLLECTION, "AuthenticationFailed")

    guarded.apply(login(guarded, password_of(guarded)))
    recovers(guarded, measured, "the login was corrected", CONNECTION, COLLECTION)


def test_a_login_that_is_incomplete(guarded: Stage, measured: Measured) -> None:
    half = manifests.secret(guarded.namespace, "milvus-auth", username="root")
    connection = guarded.connection(authSecretRef={"name": "milvus-auth"})
    guarded.apply(connection, half, guarded.secret(), guarded.credential(), guarded.collection())
    guarded.reason(CONNECTION, "SecretKeyMissing")
    guarded.reason(COLLECTION, "SecretKeyMissing")

    guarded.apply(login(guarded, password_of(guarded)))

    recovers(guarded, measured, "the login was completed", CONNECTION, COLLECTION)


def test_a_login_that_milvus_changed(guarded: Stage, measured: Measured) -> None:
    connection = guarded.connection(authSecretRef={"name": "milvus-auth"})
    guarded.apply(
        connection, login(guarded, password_of(guarded)), guarded.secret(), guarded.credential(), guarded.collection()
    )
    guarded.ready(COLLECTION)
    users = guarded.site.milvus.users
    assert isinstance(users, dict)
    users["root"] = guarded.lab.register("pw-test-c0rrect-horse-rotated")
    guarded.lab.request_reconcile(COLLECTION, guarded.namespace, "docs")
    guarded.reason(CONNECTION, "AuthenticationFailed")
    guarded.reason(COLLECTION, "AuthenticationFailed")

    guarded.apply(login(guarded, password_of(guarded)))

    recovers(guarded, measured, "the login followed Milvus'", CONNECTION, COLLECTION)


def test_a_certificate_authority_that_is_missing(stage: Stage) -> None:
    """From a ConfigMap, which is not watched: it is read again while it is missing."""
    stage.apply(stage.tls_connection("milvus-ca"))
    assert "ConfigMap milvus-ca" in stage.reason(CONNECTION, "SecretNotFound", name="secure")["message"]

    authority = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": stage.lab.plane.ca.read_text()}}
    stage.apply({**authority, "metadata": {"name": "milvus-ca", "namespace": stage.namespace}})

    # Nothing speaks TLS there: that this is now the problem says that the authority was read.
    stage.reason(CONNECTION, "Unreachable", name="secure")
