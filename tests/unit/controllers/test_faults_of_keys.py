"""Faults of keys, by their numbers K05 to K10 and K19: the key that embeds stays in Milvus, its owner is told, and the
others are delivered.

Where no workloads are seen, the hash of the configuration tells whether Milvus would be rolled.
"""

import asyncio

import pytest

from milvus_embedding.clients.dashscope.port import ProbeResult, Verdict
from milvus_embedding.controllers.base import SecretFailed, SecretForbidden, SecretRead
from milvus_embedding.domain.labels import derived
from tests.fakes.dashscope import ACCEPTED, REJECTED, UNREACHABLE, FakeKeyProbe
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.faults import (
    CONTROL,
    GUEST,
    GUEST_KEY,
    NEW_KEY,
    SOURCE,
    WITHOUT_DEFAULT,
    Situation,
    config_hash,
    document,
    in_use,
    label_states,
    later,
    of_a_guest,
)
from tests.unit.controllers.manifests import (
    CONFIG,
    CONNECTION,
    DEV,
    DEV_KEY,
    DOCS,
    PROD,
    PROD_KEY,
    TO_SEARCH,
    connection,
    credential,
)

# K05: two credentials change, one to a good key and one to a bad one


async def test_k05_of_two_changed_keys_the_good_one_is_taken_and_the_bad_one_is_not(bench: Bench) -> None:
    await in_use(bench)
    bench.key_probe.results[NEW_KEY] = ACCEPTED
    bench.secret("apikey-dev", apikey="sk-bad-0123456789abcdef")
    bench.secret("apikey-prod", apikey=NEW_KEY)

    await later(bench)

    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": NEW_KEY}
    assert bench.condition(DEV) == ("False", "KeyRejected")
    assert bench.condition(PROD) == bench.condition(CONNECTION) == bench.condition(DOCS) == ("True", "Ready")


async def test_k05_a_key_that_was_never_good_is_not_rendered_and_delays_no_other(bench: Bench) -> None:
    bench.key_probe.results[DEV_KEY] = REJECTED
    bench.quickstart()
    bench.apply(connection(embedding=WITHOUT_DEFAULT))

    await bench.settle(*CONTROL)

    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}
    assert (bench.condition(DEV), bench.condition(PROD)) == (("False", "KeyRejected"), ("True", "Ready"))


# K06: the source Secret is deleted, and comes back


@pytest.mark.parametrize("comes_back", [DEV_KEY, NEW_KEY], ids=["with the same key", "with another key"])
async def test_k06_a_source_that_was_deleted_and_comes_back(bench: Bench, comes_back: str) -> None:
    await in_use(bench)
    before, text = config_hash(bench), document(bench)

    del bench.world.secrets[SOURCE]
    await later(bench)
    assert bench.condition(DEV) == ("False", "SecretNotFound")
    assert (config_hash(bench), document(bench)) == (before, text)
    assert bench.condition(DOCS) == ("True", "Ready")

    bench.key_probe.results[comes_back] = ACCEPTED
    bench.secret("apikey-dev", apikey=comes_back)
    await later(bench)
    assert bench.condition(DEV) == ("True", "Ready")
    assert bench.rendered_keys()["apikey_dev"] == comes_back
    assert (config_hash(bench) == before) == (comes_back == DEV_KEY)


# K07: what a Secret may hold instead of a key


def without_key(bench: Bench) -> None:
    bench.secret("apikey-dev", other=NEW_KEY)


def holding(value: str) -> Situation:
    def situation(bench: Bench) -> None:
        bench.secret("apikey-dev", apikey=value)

    return situation


NO_KEYS: dict[str, tuple[Situation, str]] = {
    "the key is missing": (without_key, "SecretKeyMissing"),
    "it is empty": (holding(""), "KeyEmpty"),
    "it is spaces": (holding("  \t "), "KeyEmpty"),
    "it is a line break": (holding("\n"), "KeyEmpty"),
    "it has a control character inside": (holding("sk-one\x00sk-two"), "KeyInvalid"),
    "it has a line break inside": (holding("sk-one\nsk-two"), "KeyInvalid"),
}


@pytest.mark.parametrize("sentence", NO_KEYS)
async def test_k07_what_is_no_key_replaces_none(bench: Bench, sentence: str) -> None:
    situation, reason = NO_KEYS[sentence]
    await in_use(bench)
    before, writes = document(bench), len(bench.world.writes)

    situation(bench)
    await later(bench)

    assert bench.condition(DEV) == ("False", reason)
    assert (document(bench), len(bench.world.writes)) == (before, writes)
    assert bench.condition(PROD) == bench.condition(CONNECTION) == bench.condition(DOCS) == ("True", "Ready")


async def test_k07_a_line_break_after_the_key_is_no_other_key(bench: Bench) -> None:
    await in_use(bench)
    before, asked = config_hash(bench), len(bench.key_probe.calls)

    bench.secret("apikey-dev", apikey=f"{DEV_KEY}\n")
    await later(bench)

    assert config_hash(bench) == before
    assert len(bench.key_probe.calls) == asked


async def test_k07_a_key_of_4_kib_is_a_key(bench: Bench) -> None:
    await in_use(bench)
    large = "sk-" + "0123456789abcdef" * 256
    bench.key_probe.results[large] = ACCEPTED

    bench.secret("apikey-dev", apikey=large)
    await later(bench)

    assert bench.rendered_keys()["apikey_dev"] == large
    assert bench.condition(DEV) == ("True", "Ready")


async def test_k07_300_credentials_above_900_kib_leave_the_newest_ones_out(bench: Bench) -> None:
    await in_use(bench)
    for number in range(300):
        value = f"sk-{number:04}-" + "0123456789abcdef" * 256
        bench.key_probe.results[value] = ACCEPTED
        key = DEV._replace(name=f"team-{number:03}")
        bench.secret(key.name, apikey=value)
        bench.apply(credential(key, created=f"2025-02-01T{number // 60:02}:{number % 60:02}:00Z"))

    await bench.reconcile(CONNECTION)

    rendered = set(bench.rendered_keys())
    shown = sorted(rendered - {"apikey_dev", "apikey_prod"})
    assert {"apikey_dev", "apikey_prod"} < rendered
    assert 0 < len(shown) < 300
    assert shown == [f"team_{number:03}" for number in range(len(shown))]
    assert bench.condition(CONNECTION) == ("False", "ConfigTooLarge")
    assert sum(map(len, bench.world.secrets[CONFIG].data.values())) <= 900 * 1024
    await bench.reconcile(DOCS)
    assert bench.condition(DOCS) == ("True", "Ready")


# K08: the source cannot be read


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(SecretForbidden(), "SecretForbidden", id="it is forbidden"),
        pytest.param(SecretFailed("the API server answered 500"), "SecretUnreadable", id="the API server fails"),
        pytest.param(SecretFailed("no answer in time"), "SecretUnreadable", id="the API server is slow"),
    ],
)
async def test_k08_a_source_that_cannot_be_read_keeps_its_key(bench: Bench, answer: SecretRead, reason: str) -> None:
    await in_use(bench)
    before, writes = document(bench), len(bench.world.writes)

    bench.world.unreadable[SOURCE] = answer
    await later(bench)
    assert bench.condition(DEV) == ("False", reason)
    assert (document(bench), len(bench.world.writes)) == (before, writes)
    assert bench.condition(PROD) == bench.condition(CONNECTION) == bench.condition(DOCS) == ("True", "Ready")

    del bench.world.unreadable[SOURCE]
    await later(bench)
    assert bench.condition(DEV) == ("True", "Ready")
    assert (document(bench), len(bench.world.writes)) == (before, writes)


# K09: the credential is deleted, and others want its label


async def test_k09_a_credential_that_comes_back_takes_its_label_up_as_it_was(bench: Bench) -> None:
    await in_use(bench)
    before = config_hash(bench)

    bench.world.remove(DEV)
    await later(bench)
    assert label_states(bench)["apikey_dev"] == "Retained"

    bench.apply(credential())
    await later(bench)
    assert label_states(bench)["apikey_dev"] == "Active"
    assert bench.condition(DEV) == bench.condition(DOCS) == ("True", "Ready")
    assert config_hash(bench) == before


async def test_k09_another_namespace_cannot_claim_the_label_that_became_free(bench: Bench) -> None:
    await in_use(bench)
    bench.world.remove(DEV)
    bench.apply(connection(embedding={**WITHOUT_DEFAULT, "allowedNamespaces": TO_SEARCH}))
    bench.secret("own-key", namespace="search", apikey=GUEST_KEY)
    bench.key_probe.results[GUEST_KEY] = ACCEPTED

    bench.apply(credential(GUEST, label="apikey_dev"))
    await later(bench)

    assert bench.condition(GUEST) == ("False", "LabelNotAllowed")
    assert bench.rendered_keys() == {"apikey_dev": DEV_KEY, "apikey_prod": PROD_KEY}


# K10: the namespace of a credential is deleted


async def test_k10_with_the_namespace_of_a_credential_its_label_stays_for_those_that_use_it(bench: Bench) -> None:
    await of_a_guest(bench)
    label, before = derived(GUEST.namespace, GUEST.name), config_hash(bench)
    kept = bench.world.bodies[DOCS]
    for key in (GUEST, DOCS):
        bench.world.remove(key)
    del bench.world.secrets["search", "own-key"]

    await later(bench)
    assert bench.condition(CONNECTION, "LabelsRetained") == ("True", "LabelsRetained")
    assert f"{label} (1)" in bench.message(CONNECTION, "LabelsRetained")
    assert (bench.rendered_keys(), config_hash(bench)) == ({label: GUEST_KEY}, before)

    bench.secret("own-key", namespace="search", apikey=GUEST_KEY)
    bench.apply(credential(GUEST, label=None), kept)
    await later(bench)
    assert bench.condition(GUEST) == bench.condition(DOCS) == ("True", "Ready")
    assert (label_states(bench), config_hash(bench)) == ({label: "Active"}, before)


async def test_k10_the_label_goes_with_its_last_user(bench: Bench) -> None:
    await of_a_guest(bench)
    for key in (GUEST, DOCS):
        bench.world.remove(key)
    del bench.world.secrets["search", "own-key"]
    bench.milvus.drop("docs")

    await later(bench)

    assert bench.rendered_keys() == {}


# K19: what DashScope may answer


ANSWERS: dict[str, tuple[ProbeResult, str]] = {
    "403": (ProbeResult(Verdict.REFUSED, 403, "AccessDenied"), "Unknown ProviderRefused"),
    "400 for arrears": (ProbeResult(Verdict.REFUSED, 400, "Arrearage"), "Unknown ProviderRefused"),
    "429": (ProbeResult(Verdict.REFUSED, 429, "Throttling.RateQuota"), "Unknown ProviderRefused"),
    "500": (ProbeResult(Verdict.REFUSED, 500, "InternalError"), "Unknown ProviderRefused"),
    "nothing, without egress": (UNREACHABLE, "Unknown ProviderUnreachable"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_k19_an_answer_that_says_nothing_about_the_key_blocks_nothing(bench: Bench, answer: str) -> None:
    result, told = ANSWERS[answer]
    await in_use(bench)

    bench.key_probe.results[NEW_KEY] = result
    bench.secret("apikey-dev", apikey=NEW_KEY)
    await bench.settle(*CONTROL)

    assert bench.reasons(DEV)["KeyValid"] == told
    assert bench.condition(DEV) == bench.condition(CONNECTION) == ("True", "Ready")
    assert bench.rendered_keys()["apikey_dev"] == NEW_KEY


async def test_k19_a_401_refuses_the_new_key_and_keeps_the_former_one(bench: Bench) -> None:
    await in_use(bench)
    before = document(bench)

    bench.key_probe.results[NEW_KEY] = REJECTED
    bench.secret("apikey-dev", apikey=NEW_KEY)
    await later(bench)

    assert bench.reasons(DEV)["KeyValid"] == "False KeyRejected"
    assert document(bench) == before


class HangingProbe(FakeKeyProbe):
    """Answers for one key only when it is let."""

    def __init__(self) -> None:
        super().__init__({DEV_KEY: ACCEPTED, PROD_KEY: ACCEPTED, NEW_KEY: UNREACHABLE})
        self.let = asyncio.Event()

    async def probe(self, *, url: str, key: str, model: str) -> ProbeResult:
        result = await super().probe(url=url, key=key, model=model)
        if key == NEW_KEY:
            await self.let.wait()
        return result


async def test_k19_while_dashscope_hangs_the_former_key_stays_and_others_go_on(make_bench: MakeBench) -> None:
    probe = HangingProbe()
    bench = make_bench(key_probe=probe, patience=0.01)
    await in_use(bench)
    before = document(bench)
    bench.secret("apikey-dev", apikey=NEW_KEY)

    await later(bench, seconds=1)
    assert bench.condition(DEV) == ("False", "Probing")
    assert document(bench) == before
    assert bench.condition(PROD) == bench.condition(DOCS) == ("True", "Ready")

    probe.let.set()
    await later(bench, seconds=1)
    assert bench.condition(DEV) == ("True", "Ready")
    assert bench.rendered_keys()["apikey_dev"] == NEW_KEY
