"""Faults of what holds the keys, by their numbers K11 to K13, K15 and K16: the rendered Secret comes back as it was,
nobody else's is written, and what passes rolls nothing.
"""

import pytest

from milvus_embedding.api.annotations import CONNECTION_LABEL
from milvus_embedding.controllers.base import Conflict, SecretFailed, SecretForbidden, SecretWrite
from tests.fakes.dashscope import ACCEPTED
from tests.fakes.world import StoredSecret
from tests.unit.controllers.bench import Bench
from tests.unit.controllers.conftest import MakeBench
from tests.unit.controllers.faults import (
    CONTROL,
    GUEST,
    NEW_KEY,
    OURS,
    SOURCE,
    Situation,
    config_hash,
    document,
    in_use,
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
from tests.unit.controllers.plant import DATA_NODE, PROXY, Plant

# K11: the namespace of the connection is deleted


async def test_k11_with_the_namespace_of_the_connection_nothing_is_cut_and_it_comes_back_as_it_was(
    bench: Bench,
) -> None:
    await of_a_guest(bench)
    before, text, changes = config_hash(bench), document(bench), len(bench.milvus.changing)
    bench.world.remove(CONNECTION)
    del bench.world.secrets[CONFIG]
    await bench.connections.forget(CONNECTION)

    await later(bench)
    assert bench.condition(DOCS) == bench.condition(GUEST) == ("False", "NotAllowed")
    assert bench.condition(DOCS, "Available") == ("True", "Available")

    bench.apply(connection(embedding={"allowedNamespaces": TO_SEARCH}))
    await later(bench)
    assert bench.condition(DOCS) == bench.condition(GUEST) == ("True", "Ready")
    assert (config_hash(bench), document(bench)) == (before, text)
    assert len(bench.milvus.changing) == changes


# K12: the rendered Secret


def deleted(bench: Bench) -> None:
    del bench.world.secrets[CONFIG]


def emptied(bench: Bench) -> None:
    bench.world.secrets[CONFIG].data.clear()


def edited(bench: Bench) -> None:
    bench.world.secrets[CONFIG].data["embedding.yaml"] = b"credential: {}\n"


def reset_by_gitops(bench: Bench) -> None:
    bench.world.put_secret(*CONFIG, {}, labels={**OURS, "argocd.argoproj.io/instance": "milvus"})


@pytest.mark.parametrize("situation", [deleted, emptied, edited, reset_by_gitops], ids=lambda s: s.__name__)
async def test_k12_the_rendered_secret_comes_back_as_it_was(bench: Bench, situation: Situation) -> None:
    await in_use(bench)
    before, text = config_hash(bench), document(bench)

    situation(bench)
    await later(bench)

    assert (config_hash(bench), document(bench)) == (before, text)
    assert bench.condition(CONNECTION) == bench.condition(DOCS) == ("True", "Ready")


@pytest.mark.parametrize("labels", [{}, {CONNECTION_LABEL: "another"}], ids=["nobody's", "another connection's"])
async def test_k12_a_secret_that_is_owned_by_another_is_never_written(bench: Bench, labels: dict[str, str]) -> None:
    await in_use(bench)
    writes = len(bench.world.writes)
    bench.world.secrets[CONFIG] = StoredSecret({"password": b"theirs"}, labels, version=10_000)

    await later(bench)

    assert bench.condition(CONNECTION, "ConfigRendered") == ("False", "SecretNotOurs")
    assert len(bench.world.writes) == writes
    assert bench.world.secrets[CONFIG].data == {"password": b"theirs"}


# K13: the rendered Secret is deleted while a source cannot be read


async def test_k13_a_lost_secret_with_an_unreadable_source_is_incomplete_until_it_can_be_read(bench: Bench) -> None:
    await in_use(bench)
    bench.world.uses[DEV] = 1
    before, text = config_hash(bench), document(bench)
    deleted(bench)
    bench.world.unreadable[SOURCE] = SecretForbidden()

    bench.clock.advance(60)
    await bench.settle(*CONTROL)
    assert bench.condition(CONNECTION) == ("False", "ConfigIncomplete")
    assert "apikey_dev" in bench.message(CONNECTION)
    assert bench.rendered_keys() == {"apikey_prod": PROD_KEY}

    del bench.world.unreadable[SOURCE]
    await later(bench)
    assert (config_hash(bench), document(bench)) == (before, text)
    assert bench.condition(CONNECTION) == ("True", "Ready")


# What passes is no reason to roll Milvus


def same_source_again(bench: Bench) -> None:
    del bench.world.secrets[SOURCE]


def unreadable_source(bench: Bench) -> None:
    bench.world.unreadable[SOURCE] = SecretFailed("the API server answered 500")


def no_credential(bench: Bench) -> None:
    bench.world.remove(DEV)


def lost_with_an_unreadable_source(bench: Bench) -> None:
    deleted(bench)
    unreadable_source(bench)


PASSING: dict[str, Situation] = {
    "K06: the source is deleted and comes back": same_source_again,
    "K08: the source cannot be read for a while": unreadable_source,
    "K09: the credential is deleted and comes back": no_credential,
    "K12: the rendered Secret is deleted": deleted,
    "K12: the rendered Secret is emptied": emptied,
    "K12: the rendered Secret is edited by hand": edited,
    "K12: the rendered Secret is reset by GitOps": reset_by_gitops,
    "K13: the rendered Secret is deleted while a source cannot be read": lost_with_an_unreadable_source,
}


@pytest.mark.parametrize("sentence", PASSING)
async def test_what_passes_rolls_nothing(bench: Bench, sentence: str) -> None:
    plant = Plant(bench).helm()
    plant.quickstart()
    bench.world.uses[DEV] = 1
    await plant.delivered()
    before = plant.config["hash"]

    PASSING[sentence](bench)
    await plant.run(600)
    bench.world.unreadable.clear()
    bench.secret("apikey-dev", apikey=DEV_KEY)
    bench.apply(credential())
    await plant.run(900)

    assert (plant.rolls(PROXY), plant.rolls(DATA_NODE)) == (1, 1)
    assert plant.config["hash"] == plant.config["deliveredHash"] == before
    assert plant.is_delivered
    assert bench.condition(DEV) == bench.condition(DOCS) == ("True", "Ready")


# K15: after a restart the lists are an hour old


async def test_k15_sources_are_read_and_not_believed_from_a_list(bench: Bench) -> None:
    """Of Secrets a list wakes readers and nothing more: what is rendered is what a GET shows."""
    await in_use(bench)
    bench.key_probe.results[NEW_KEY] = ACCEPTED
    bench.secret("apikey-dev", apikey=NEW_KEY)
    await later(bench)
    before, writes = config_hash(bench), len(bench.world.writes)

    bench.restart()
    await later(bench)

    assert bench.rendered_keys()["apikey_dev"] == NEW_KEY
    assert (config_hash(bench), len(bench.world.writes)) == (before, writes)


async def test_k15_a_credential_that_an_old_list_does_not_show_keeps_its_label(bench: Bench) -> None:
    await in_use(bench)
    before, text, writes = config_hash(bench), document(bench), len(bench.world.writes)
    bench.restart()
    bench.world.hidden.add(PROD)

    bench.clock.advance(60)
    await bench.settle(CONNECTION, DEV)
    assert (config_hash(bench), document(bench)) == (before, text)

    bench.world.hidden.clear()
    await later(bench)
    assert (config_hash(bench), document(bench), len(bench.world.writes)) == (before, text, writes)


# K16: an old leader wakes up


async def test_k16_what_an_old_leader_writes_on_what_it_read_before_is_refused(
    bench: Bench, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_use(bench)
    leader = make_bench()
    leader.world, leader.clock, leader.milvus = bench.world, bench.clock, bench.milvus
    leader.key_probe.results[NEW_KEY] = ACCEPTED
    leader.restart()
    write = bench.world.write_secret

    async def frozen_before_it_writes(secret: SecretWrite) -> str:
        monkeypatch.undo()
        bench.secret("apikey-dev", apikey=NEW_KEY)
        await leader.settle(*CONTROL)
        return await write(secret)

    bench.secret("apikey-dev", apikey=PROD_KEY)
    monkeypatch.setattr(bench.world, "write_secret", frozen_before_it_writes)
    bench.clock.advance(60)
    with pytest.raises(Conflict):
        await bench.reconcile(CONNECTION)

    assert bench.rendered_keys()["apikey_dev"] == NEW_KEY
