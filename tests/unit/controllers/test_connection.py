"""MilvusConnection: situation -> conditions, requeue and calls."""

from collections.abc import Callable

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.clients.milvus.port import AuthenticationFailed, PermissionDenied
from milvus_embedding.controllers.base import SecretFailed, SecretForbidden, WriteRefused
from milvus_embedding.controllers.connection.rendering import secret
from tests.fakes.dashscope import ACCEPTED
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.manifests import (
    CONFIG,
    CONNECTION,
    DEV,
    DEV_KEY,
    PROD,
    connection,
    credential,
)

OURS = {"embedding.milvus.io/connection": "milvus"}
COMPATIBLE = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"

Situation = Callable[[Bench], None]


def with_connection(**spec: object) -> Situation:
    return lambda bench: bench.apply(connection(**spec))


def default_embedding(**more: object) -> dict[str, object]:
    return {"dashscope": {"credentialRef": {"name": "apikey-dev"}}, **more}


def unreadable_config(bench: Bench) -> None:
    bench.world.unreadable[CONFIG] = SecretFailed("the API server answered 500")


def forbidden_config(bench: Bench) -> None:
    bench.world.unreadable[CONFIG] = SecretForbidden()


def refused_write(bench: Bench) -> None:
    bench.world.refusal = WriteRefused("exceeded quota")


def damaged_memory(bench: Bench) -> None:
    bench.world.put_secret(*CONFIG, {"state.json": "{"}, labels=OURS)


def somebody_elses_secret(bench: Bench) -> None:
    bench.world.put_secret(*CONFIG, {"embedding.yaml": "x"})


def secret_of_another_connection(bench: Bench) -> None:
    bench.world.put_secret(*CONFIG, {}, labels={"embedding.milvus.io/connection": "other"})


def secret_with_foreign_data(bench: Bench) -> None:
    bench.world.put_secret(*CONFIG, {"user.yaml": "x"}, labels=OURS)


def unreachable(bench: Bench) -> None:
    bench.milvus.unreachable = True


def login_refused(bench: Bench) -> None:
    bench.milvus.fail_before("server_version", AuthenticationFailed("auth check failure"))


def no_privilege(bench: Bench) -> None:
    bench.milvus.fail_before("server_version", PermissionDenied("no privilege"))


def with_auth(bench: Bench, **data: str) -> None:
    if data:
        bench.secret("milvus-auth", **data)
    bench.apply(connection(authSecretRef={"name": "milvus-auth"}))


def rejected_default_key(bench: Bench) -> None:
    bench.secret("apikey-dev", apikey="sk-bad-0123456789")


def too_many_keys(bench: Bench) -> None:
    bench.secret("apikey-dev", apikey="k" * (950 * 1024))


SITUATIONS: dict[str, tuple[Situation, dict[str, str]]] = {
    "all is well": (
        lambda bench: None,
        {
            "Ready": "True Ready",
            "Reachable": "True Reachable",
            "ConfigRendered": "True Rendered",
            "ConfigDelivered": "Unknown DeliveryUnknown",
            "LabelsRetained": "False NoLabelsRetained",
        },
    ),
    "a connection without embedding renders nothing": (
        with_connection(embedding=None),
        {"Ready": "True Ready", "Reachable": "True Reachable"},
    ),
    "Milvus does not answer, and the Secret is rendered all the same": (
        unreachable,
        {
            "Ready": "False Unreachable",
            "Reachable": "False Unreachable",
            "ConfigRendered": "True Rendered",
            "Reconciling": "True Unreachable",
        },
    ),
    "Milvus refuses the login": (
        login_refused,
        {"Ready": "False AuthenticationFailed", "Stalled": "True AuthenticationFailed"},
    ),
    "a server that tells us nothing but its presence is reachable": (
        no_privilege,
        {"Ready": "True Ready", "Reachable": "True Reachable"},
    ),
    "the address is a cloud's metadata service": (
        with_connection(uri="http://169.254.169.254:80"),
        {"Ready": "False EndpointNotAllowed", "Reachable": "False EndpointNotAllowed"},
    ),
    "the provider's endpoint is a cloud's metadata service": (
        with_connection(embedding={"dashscope": {"url": "http://169.254.169.254/latest"}}),
        {"Ready": "False EndpointNotAllowed", "ConfigRendered": "False EndpointNotAllowed"},
    ),
    "the OpenAI-compatible endpoint is rendered as declared, with a warning": (
        with_connection(embedding=default_embedding(dashscope={"url": COMPATIBLE})),
        {"Ready": "True Ready", "ConfigRendered": "True UrlSuspect"},
    ),
    "the auth Secret is not there": (with_auth, {"Reachable": "False SecretNotFound", "Ready": "False SecretNotFound"}),
    "the auth Secret has no password": (
        lambda bench: with_auth(bench, username="root-user"),
        {"Reachable": "False SecretKeyMissing"},
    ),
    "the auth Secret has a token": (
        lambda bench: with_auth(bench, token="root:Milvus"),
        {"Reachable": "True Reachable"},
    ),
    "the CA is not there": (
        with_connection(uri="https://milvus:19530", tls={"caRef": {"kind": "ConfigMap", "name": "ca"}}),
        {"Reachable": "False SecretNotFound"},
    ),
    "the operator may not read the rendered Secret": (
        forbidden_config,
        {"ConfigRendered": "False RenderFailed", "ConfigDelivered": "False NotDelivered"},
    ),
    "the rendered Secret cannot be read now": (unreadable_config, {"ConfigRendered": "False RenderFailed"}),
    "the memory in the rendered Secret is damaged": (damaged_memory, {"ConfigRendered": "False RenderFailed"}),
    "the API refuses the write": (refused_write, {"ConfigRendered": "False RenderFailed"}),
    "a Secret of that name without our label is not ours": (
        somebody_elses_secret,
        {"ConfigRendered": "False SecretNotOurs", "Stalled": "True SecretNotOurs"},
    ),
    "a Secret of another connection is not ours": (
        secret_of_another_connection,
        {"ConfigRendered": "False SecretNotOurs"},
    ),
    "a Secret with foreign data is not ours": (secret_with_foreign_data, {"ConfigRendered": "False SecretNotOurs"}),
    "the default key is refused and nothing else is known of its label": (
        rejected_default_key,
        {"Ready": "False ConfigIncomplete", "ConfigRendered": "False ConfigIncomplete"},
    ),
    "the default credential does not exist": (
        with_connection(embedding={"dashscope": {"credentialRef": {"name": "nobody"}}}),
        {"ConfigRendered": "False ConfigIncomplete"},
    ),
    "the configuration is too large for a Secret": (too_many_keys, {"ConfigRendered": "False ConfigTooLarge"}),
}


@pytest.mark.parametrize("sentence", SITUATIONS)
async def test_conditions_of_a_connection(bench: Bench, sentence: str) -> None:
    situation, expected = SITUATIONS[sentence]
    bench.quickstart()
    bench.key_probe.results["k" * (950 * 1024)] = bench.key_probe.results[DEV_KEY]
    situation(bench)

    await bench.reconcile(CONNECTION)

    told = bench.reasons(CONNECTION)
    assert {type_: told.get(type_) for type_ in expected} == expected
    assert not {"Reconciling", "Stalled"} <= told.keys()


@pytest.mark.parametrize(
    ("situation", "seconds"),
    [
        pytest.param(forbidden_config, 10, id="a right that is missing is looked at again after 10 s"),
        pytest.param(unreadable_config, 2, id="an API error is looked at again after 2 s"),
        pytest.param(refused_write, 10, id="a refused write is tried again after 10 s"),
        pytest.param(somebody_elses_secret, None, id="a foreign Secret waits for its change"),
        pytest.param(unreachable, None, id="a dead Milvus is watched by the heartbeat"),
    ],
)
async def test_when_a_connection_is_looked_at_again(bench: Bench, situation: Situation, seconds: float | None) -> None:
    bench.quickstart()
    situation(bench)

    assert (await bench.reconcile(CONNECTION)).requeue_after == seconds


@pytest.mark.parametrize(
    "situation",
    [somebody_elses_secret, secret_of_another_connection, secret_with_foreign_data, unreadable_config, damaged_memory],
    ids=lambda situation: situation.__name__.replace("_", " "),
)
async def test_a_secret_that_is_not_known_to_be_ours_is_never_written(bench: Bench, situation: Situation) -> None:
    bench.quickstart()
    situation(bench)

    await bench.reconcile(CONNECTION)

    assert bench.world.writes == []


async def test_a_secret_declared_in_git_with_our_label_and_no_data_is_taken(bench: Bench) -> None:
    bench.quickstart()
    bench.world.put_secret(*CONFIG, {}, labels={**OURS, "team": "search"})

    await bench.reconcile(CONNECTION)

    assert bench.rendered_keys()["apikey_dev"] == DEV_KEY
    assert bench.world.secrets[CONFIG].labels == {**OURS, "team": "search"}


async def test_without_sources_the_document_is_valid_and_empty(bench: Bench) -> None:
    bench.apply(connection(embedding={}))

    await bench.reconcile(CONNECTION)

    assert bench.config()["embedding.yaml"] == '"credential": {}\n'


async def test_a_blocked_rendering_keeps_the_former_hash_and_labels(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    before = bench.world.status(CONNECTION)

    unreadable_config(bench)
    await bench.reconcile(CONNECTION)

    after = bench.world.status(CONNECTION)
    assert (after["config"], after["labels"]) == (before["config"], before["labels"])


async def test_paused_renders_and_keeps_the_status_of_ready(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()
    bench.apply(connection(paused=True))
    bench.secret("apikey-prod", apikey="sk-prod-another-0123")
    bench.key_probe.results["sk-prod-another-0123"] = bench.key_probe.results[DEV_KEY]

    await bench.settle()

    assert bench.condition(CONNECTION) == ("True", "Paused")
    assert bench.world.status(CONNECTION)["observedGeneration"] == 2
    assert bench.rendered_keys()["apikey_prod"] == "sk-prod-another-0123"


async def test_paused_before_it_was_ever_looked_at_is_unknown(bench: Bench) -> None:
    bench.apply(connection(paused=True, embedding=None))

    await bench.reconcile(CONNECTION)

    assert bench.reasons(CONNECTION) == {"Ready": "Unknown Paused", "Reachable": "True Reachable"}


async def test_when_there_is_no_room_the_newest_credential_is_refused_and_the_others_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret, "SIZE_LIMIT", 4 * 1024)
    bench.quickstart()
    await bench.settle()
    big = "k" * (2 * 1024)
    bench.key_probe.results |= {big: ACCEPTED, "sk-new-0123456789": ACCEPTED}
    newcomers = [DEV._replace(name=name) for name in ("older", "newer", "small")]
    for key, created in zip(newcomers, ("2025-02-01", "2025-03-01", "2025-01-01"), strict=True):
        bench.secret(key.name, apikey="sk-new-0123456789" if key.name == "small" else big)
        bench.apply(credential(key, created=f"{created}T00:00:00Z"))
    bench.secret("apikey-dev", apikey="sk-new-0123456789")

    await bench.settle()

    assert bench.condition(CONNECTION) == ("False", "ConfigTooLarge")
    assert "newer, older" in bench.message(CONNECTION)
    assert set(bench.rendered_keys()) == {"apikey_dev", "apikey_prod", "small"}
    assert bench.rendered_keys()["apikey_dev"] == "sk-new-0123456789"
    assert bench.condition(newcomers[1]) == ("False", "NotDelivered")


async def test_environment_delivery_writes_both_variables_of_option_2(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(connection(embedding=default_embedding(delivery="Environment")))

    await bench.reconcile(CONNECTION)

    config = bench.config()
    config.pop("state.json")
    assert config == {"MILVUSAI_DASHSCOPE_API_KEY": DEV_KEY, "MILVUS_DASHSCOPE_API_KEY": DEV_KEY}


async def test_user_and_password_come_from_the_auth_secret(bench: Bench) -> None:
    bench.secret("milvus-auth", username="root", password="Milvus-0123456789")
    bench.apply(connection(embedding=None, authSecretRef={"name": "milvus-auth"}))

    await bench.reconcile(CONNECTION)

    target = bench.clients.targets[CONNECTION]
    assert (target.user, target.password, target.token) == ("root", "Milvus-0123456789", "")


async def test_an_endpoint_outside_of_the_operators_list_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench(allowed_endpoints=("*.example.com",))
    bench.apply(connection(embedding=None))

    await bench.reconcile(CONNECTION)

    assert bench.condition(CONNECTION, "Reachable") == ("False", "EndpointNotAllowed")
    assert bench.milvus.calls == []


async def test_forgetting_a_connection_closes_its_client(bench: Bench) -> None:
    bench.quickstart()
    await bench.settle()

    await bench.connections.forget(CONNECTION)

    assert bench.clients.forgotten == [CONNECTION]


async def test_what_is_wrong_with_one_source_does_not_keep_the_others(bench: Bench) -> None:
    bench.quickstart()
    bench.world.unreadable["milvus", "apikey-prod"] = SecretForbidden()

    await bench.settle()

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY}
    assert bench.condition(CONNECTION) == ("True", "Ready")
    assert bench.condition(PROD) == ("False", "SecretForbidden")


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        pytest.param(PROD, ("True", "Rendered"), id="another one, whoever names it"),
        pytest.param(DEV, ("False", "ConfigIncomplete"), id="the default one"),
    ],
)
async def test_a_label_that_never_had_a_key_is_a_fault_of_the_connection_if_it_is_its_default(
    bench: Bench, credential: Key, expected: tuple[str, str]
) -> None:
    bench.quickstart()
    bench.secret(credential.name, apikey="sk-bad-0123456789")
    bench.world.uses[credential] = 1

    await bench.settle(CONNECTION)

    assert bench.condition(CONNECTION, "ConfigRendered") == expected
    assert credential.name.replace("-", "_") not in bench.rendered_keys()


async def test_the_number_of_collections_is_told_per_label(bench: Bench) -> None:
    bench.quickstart()
    bench.world.uses[DEV] = 7

    await bench.settle()

    labels = bench.world.status(CONNECTION)["labels"]
    assert isinstance(labels, list)
    assert [(entry["label"], entry["state"], entry["collections"]) for entry in labels] == [
        ("apikey_dev", "Active", 7),
        ("apikey_prod", "Active", 0),
    ]


async def test_a_credential_of_another_connection_is_not_rendered(bench: Bench) -> None:
    bench.quickstart()
    bench.apply(credential(PROD, connectionRef={"name": "other"}))

    await bench.reconcile(CONNECTION)

    assert list(bench.rendered_keys()) == ["apikey_dev"]
