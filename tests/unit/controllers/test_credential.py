"""EmbeddingCredential: situation -> conditions, requeue and calls."""

from collections.abc import Callable

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import SecretFailed, SecretForbidden
from milvus_embedding.controllers.probes import REJECTED_AGAIN
from milvus_embedding.domain.labels import derived
from tests.fakes.dashscope import ACCEPTED, UNREACHABLE
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.manifests import CONNECTION, DEV, DEV_KEY, PROD, connection, credential

Situation = Callable[[Bench], None]
SECRET = ("milvus", "apikey-dev")
GUEST = Key("EmbeddingCredential", "search", "own-key")


def dev(**spec: object) -> Situation:
    return lambda bench: bench.apply(credential(**spec))


def key(value: str, name: str = "apikey") -> Situation:
    return lambda bench: bench.secret("apikey-dev", **{name: value})


def raw_key(value: bytes) -> Situation:
    def situation(bench: Bench) -> None:
        bench.world.secrets[SECRET].data["apikey"] = value

    return situation


def answer(result: ProbeResult) -> Situation:
    def situation(bench: Bench) -> None:
        bench.key_probe.results[DEV_KEY] = result

    return situation


def secret_gone(bench: Bench) -> None:
    del bench.world.secrets[SECRET]


def secret_forbidden(bench: Bench) -> None:
    bench.world.unreadable[SECRET] = SecretForbidden()


def secret_failed(bench: Bench) -> None:
    bench.world.unreadable[SECRET] = SecretFailed("the API server answered 500")


def no_connection(bench: Bench) -> None:
    bench.world.remove(CONNECTION)


def conflicting(bench: Bench) -> None:
    bench.apply(credential(PROD, label="apikeydev", created="2024-01-01T00:00:00Z"))


def in_environment(bench: Bench) -> None:
    bench.apply(
        connection(embedding={"delivery": "Environment", "dashscope": {"credentialRef": {"name": "apikey-prod"}}})
    )


def external_without_delivery(bench: Bench) -> None:
    bench.apply(credential(apiKeySecretRef=None, external={}))
    bench.apply(connection(embedding=None))


def released(bench: Bench) -> None:
    bench.apply(connection(embedding={"releaseLabels": ["apikey_dev"]}))


def label_of_the_connections_namespace(bench: Bench) -> None:
    bench.world.remove(DEV)
    bench.apply(connection(embedding={"allowedNamespaces": {"from": "All"}}))


SITUATIONS: dict[str, tuple[Situation, dict[str, str]]] = {
    "all is well": (
        lambda bench: None,
        {
            "Ready": "True Ready",
            "SecretFound": "True SecretFound",
            "KeyValid": "True KeyAccepted",
            "Delivered": "Unknown DeliveryUnknown",
        },
    ),
    "the Secret does not exist": (
        secret_gone,
        {"Ready": "False SecretNotFound", "SecretFound": "False SecretNotFound", "Reconciling": "True SecretNotFound"},
    ),
    "the Secret lacks the key": (key("x", name="other"), {"SecretFound": "False SecretKeyMissing"}),
    "the Secret is forbidden": (secret_forbidden, {"SecretFound": "False SecretForbidden"}),
    "the API server fails": (secret_failed, {"SecretFound": "False SecretUnreadable"}),
    "the key is empty": (key(" \n"), {"Ready": "False KeyEmpty", "Stalled": "True KeyEmpty"}),
    "the key has a line break inside": (key("sk-one\nsk-two"), {"Ready": "False KeyInvalid"}),
    "the key is not text": (raw_key(b"\xff\xfe"), {"Ready": "False KeyInvalid"}),
    "surrounding whitespace is cut": (key(f"  {DEV_KEY}\n"), {"Ready": "True Ready", "KeyValid": "True KeyAccepted"}),
    "DashScope rejects the key": (
        key("sk-bad-0123456789"),
        {"Ready": "False KeyRejected", "KeyValid": "False KeyRejected", "Stalled": "True KeyRejected"},
    ),
    "DashScope cannot be asked, which blocks nothing": (
        answer(UNREACHABLE),
        {"Ready": "True Ready", "KeyValid": "Unknown ProviderUnreachable"},
    ),
    "DashScope answers 403, which blocks nothing": (
        answer(ProbeResult(Verdict.REFUSED, 403, "AccessDenied")),
        {"Ready": "True Ready", "KeyValid": "Unknown ProviderRefused"},
    ),
    "DashScope answers 429, which blocks nothing": (
        answer(ProbeResult(Verdict.REFUSED, 429, "Throttling")),
        {"Ready": "True Ready", "KeyValid": "Unknown ProviderRefused"},
    ),
    "the probe is off": (
        dev(probe={"enabled": False}),
        {"Ready": "True Ready", "KeyValid": "Unknown ProbeDisabled"},
    ),
    "the label is external": (
        dev(apiKeySecretRef=None, external={}),
        {"Ready": "True External", "KeyValid": "Unknown External", "Delivered": "Unknown External"},
    ),
    "the connection does not exist": (no_connection, {"Ready": "False ConnectionNotFound"}),
    "the connection delivers nothing": (
        lambda bench: bench.apply(connection(embedding=None)),
        {"Ready": "False EmbeddingNotConfigured"},
    ),
    "the connection delivers nothing, and the label is external": (
        external_without_delivery,
        {"Ready": "True External", "KeyValid": "Unknown External", "Delivered": "Unknown External"},
    ),
    "an older credential has a label that reads the same": (
        conflicting,
        {"Ready": "False LabelConflict", "Stalled": "True LabelConflict"},
    ),
    "the environment carries another key": (
        in_environment,
        {"Ready": "False LabelInEnvironment", "Delivered": "False LabelInEnvironment"},
    ),
    "the label is released": (released, {"Ready": "False Released", "Delivered": "False Released"}),
}


@pytest.mark.parametrize("sentence", SITUATIONS)
async def test_conditions_of_a_credential(bench: Bench, sentence: str) -> None:
    situation, expected = SITUATIONS[sentence]
    bench.quickstart()
    situation(bench)

    await bench.settle(*[k for k in bench.world.bodies if k.kind != "MilvusCollection"])

    told = bench.reasons(DEV)
    assert {type_: told.get(type_) for type_ in expected} == expected
    assert not {"Reconciling", "Stalled"} <= told.keys()


async def test_until_the_connection_has_rendered_it_a_key_is_not_delivered(bench: Bench) -> None:
    bench.quickstart()

    await bench.reconcile(DEV)
    await bench.reconcile(DEV)

    assert bench.condition(DEV, "Delivered") == ("False", "NotDelivered")
    assert bench.condition(DEV) == ("False", "NotDelivered")


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        pytest.param({"from": "Same"}, "NotAllowed", id="Same keeps other namespaces out"),
        pytest.param({"from": "Names", "names": ["other"]}, "NotAllowed", id="Names lets in those that are named"),
        pytest.param({"from": "Names", "names": ["search"]}, "Ready", id="Names lets in the one that is named"),
        pytest.param({"from": "All"}, "Ready", id="All lets everybody in"),
    ],
)
async def test_which_namespaces_may_add_credentials(bench: Bench, grant: object, expected: str) -> None:
    bench.secret("own-key", namespace="search", apikey=DEV_KEY)
    bench.apply(connection(embedding={"allowedNamespaces": grant}, allowedNamespaces={"from": "All"}))
    bench.apply(credential(GUEST, label=None))

    await bench.settle()

    assert bench.condition(GUEST)[1] == expected
    assert (derived("search", "own-key") in bench.rendered_keys()) == (expected == "Ready")


async def test_a_connection_elsewhere_that_does_not_exist_is_answered_as_one_without_a_grant(bench: Bench) -> None:
    bench.apply(connection(), credential(GUEST, label=None))
    await bench.reconcile(GUEST)
    there = bench.message(GUEST)

    bench.world.remove(CONNECTION)
    await bench.reconcile(GUEST)

    assert bench.condition(GUEST) == ("False", "NotAllowed")
    assert bench.message(GUEST) == there


async def test_only_the_connections_namespace_chooses_labels(bench: Bench) -> None:
    bench.secret("own-key", namespace="search", apikey=DEV_KEY)
    bench.apply(connection(embedding={"allowedNamespaces": {"from": "All"}}))
    bench.apply(credential(GUEST, label="mine"))

    await bench.settle()

    assert bench.condition(GUEST) == ("False", "LabelNotAllowed")
    assert bench.rendered_keys() == {}


async def test_the_holder_of_a_label_keeps_it_against_an_older_newcomer(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    older = Key("EmbeddingCredential", "milvus", "a-new-one")
    bench.secret("a-new-one", apikey="sk-another-0123456789")
    bench.apply(credential(older, label="apikeydev", created="2020-01-01T00:00:00Z"))

    await bench.settle()

    assert bench.condition(older) == ("False", "LabelConflict")
    assert bench.condition(DEV) == ("True", "Ready")
    assert "apikeydev" not in bench.rendered_keys()


async def test_the_message_of_a_conflict_names_nobody(bench: Bench) -> None:
    bench.quickstart()
    conflicting(bench)

    await bench.settle(DEV, PROD, CONNECTION)

    assert "apikey-prod" not in bench.message(DEV)


@pytest.mark.parametrize(
    ("situation", "seconds"),
    [
        pytest.param(secret_gone, None, id="a missing Secret wakes when it comes"),
        pytest.param(secret_forbidden, 10, id="a right that is missing is looked at after 10 s"),
        pytest.param(secret_failed, 2, id="an API error is looked at after 2 s"),
        pytest.param(key("sk-bad-0123456789"), REJECTED_AGAIN, id="a rejected key is asked again within seconds"),
        pytest.param(answer(UNREACHABLE), 30, id="an unreachable DashScope is asked again after 30 s"),
        pytest.param(lambda bench: None, 86400, id="an accepted key is asked again after a day"),
        pytest.param(dev(probe={"intervalSeconds": 3600}), 3600, id="or after what the credential says"),
    ],
)
async def test_when_a_credential_is_looked_at_again(bench: Bench, situation: Situation, seconds: float | None) -> None:
    bench.quickstart()
    situation(bench)
    await bench.reconcile(CONNECTION)

    assert (await bench.reconcile(DEV)).requeue_after == seconds


async def test_a_change_of_the_number_of_users_wakes_the_connection(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.world.uses[DEV] = 3

    assert (await bench.reconcile(DEV)).wake == (CONNECTION,)
    assert (await bench.reconcile(DEV)).wake == ()
    assert bench.world.status(DEV)["usedBy"] == 3


@pytest.mark.parametrize(
    "situation",
    [secret_gone, key("x", name="other"), key(" "), secret_forbidden, secret_failed],
    ids=["the Secret is gone", "the key is missing", "the key is empty", "it is forbidden", "the API fails"],
)
async def test_without_a_readable_source_milvus_keeps_the_last_good_key(bench: Bench, situation: Situation) -> None:
    bench.quickstart()
    await bench.settle()
    writes = len(bench.world.writes)

    situation(bench)
    await bench.settle(*[k for k in bench.world.bodies if k.kind != "MilvusCollection"])

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY
    assert len(bench.world.writes) == writes
    assert bench.condition(DEV)[0] == "False"
    assert "Milvus keeps the last good key" in bench.message(DEV)
    assert bench.condition(CONNECTION) == ("True", "Ready")


async def test_a_rotated_key_is_taken_once_it_embeds(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before = bench.world.status(CONNECTION)["config"]
    bench.key_probe.results["sk-new-0123456789"] = ACCEPTED

    bench.secret("apikey-dev", apikey="sk-new-0123456789")
    await bench.settle()

    assert bench.rendered_keys()["apikey_dev"] == "sk-new-0123456789"
    assert bench.world.status(CONNECTION)["config"] != before


async def test_a_rotated_key_that_is_rejected_is_not_taken(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before = bench.world.status(CONNECTION)["config"]

    bench.secret("apikey-dev", apikey="sk-bad-0123456789")
    for key_ in (DEV, CONNECTION, DEV):
        await bench.reconcile(key_)

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY
    assert bench.condition(DEV) == ("False", "KeyRejected")
    assert bench.world.status(CONNECTION)["config"] == before


async def test_a_key_that_nobody_can_ask_about_is_taken(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.key_probe.results["sk-new-0123456789"] = UNREACHABLE

    bench.secret("apikey-dev", apikey="sk-new-0123456789")
    await bench.settle(DEV, CONNECTION, PROD)

    assert bench.rendered_keys()["apikey_dev"] == "sk-new-0123456789"


async def test_an_unproven_key_that_is_rejected_later_gives_way_to_the_proven_one(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.key_probe.results["sk-new-0123456789"] = UNREACHABLE
    bench.secret("apikey-dev", apikey="sk-new-0123456789")
    await bench.settle(DEV, CONNECTION, PROD)

    del bench.key_probe.results["sk-new-0123456789"]
    bench.clock.advance(31)
    for key_ in (DEV, DEV, CONNECTION, DEV):
        await bench.reconcile(key_)
        bench.clock.advance(1)

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY
