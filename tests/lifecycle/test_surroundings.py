"""Changes of what a collection refers to: connection, credential, EmbeddingFunction. None of them takes anything away.

The collection stands, with the key of a credential elsewhere by an EmbeddingFunction elsewhere. Something around it is
declared anew, every object is looked at until nothing changes any more, and ten times more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from milvus_embedding.api.references import Key
from milvus_embedding.devkit.milvus import EmbeddedMilvus
from tests.lifecycle.conftest import MakeStage, Servers
from tests.lifecycle.stage import Stage, manifest
from tests.unit.controllers import manifests
from tests.unit.controllers.manifests import CONNECTION, DEV, DOCS, TO_SEARCH, Body
from tests.unit.controllers.owners import observed
from tests.unit.domain.planning.scenes import ALI, VERSIONS

CREDENTIAL = DEV._replace(name="a")
SPARE = DEV._replace(name="c")
FUNCTION = Key("EmbeddingFunction", "shared", "docs-v3-a")
FAQ = DOCS._replace(name="faq")
NOBODY = {"from": "Same"}
MODEL = {"model": "text-embedding-v3", "credentialRef": {"name": "a", "namespace": "milvus"}}
BY_REFERENCE: Body = {"functionRef": {"name": FUNCTION.name, "namespace": FUNCTION.namespace}}
REFERRING: Body = {"functions": [{**ALI, "textEmbedding": BY_REFERENCE}]}
EMBEDDING: Body = {"dashscope": {"credentialRef": {"name": DEV.name}}, "allowedNamespaces": TO_SEARCH}


def connection(**changes: object) -> Callable[[Stage], None]:
    """The connection with changes."""
    return lambda stage: stage.bench.apply(
        manifests.connection(**{"uri": stage.server.uri, "embedding": EMBEDDING, **changes})
    )


def function(grant: object) -> Callable[[Stage], None]:
    spec = {"dashscope": MODEL} | ({} if grant is None else {"allowedNamespaces": grant})
    return lambda stage: stage.bench.apply(manifests.manifest(FUNCTION, spec))


def credential(**changes: object) -> Callable[[Stage], None]:
    return lambda stage: stage.bench.apply(manifests.credential(CREDENTIAL, label="a", **changes))


def gone(*keys: Key) -> Callable[[Stage], None]:
    def remove(stage: Stage) -> None:
        for key in keys:
            stage.bench.world.remove(key)

    return remove


def by_another_name(stage: Stage) -> None:
    connection(uri=stage.server.uri.replace("127.0.0.1", "localhost"))(stage)


@dataclass(frozen=True)
class Scene:
    """`told` and `of_connection`: reasons of Ready."""

    change: Callable[[Stage], None]
    told: str = "Ready"
    of_connection: str = "Ready"


SCENES: dict[str, Scene] = {
    "the connection's uri is another name of the same Milvus": Scene(by_another_name),
    "calls may take longer": Scene(connection(requestTimeoutSeconds=120)),
    "calls may take no longer": Scene(connection(requestTimeoutSeconds=10)),
    "the connection is paused": Scene(connection(paused=True), "Paused", "Paused"),
    "the connection admits nobody any more": Scene(connection(allowedNamespaces=NOBODY), "NotAllowed"),
    "the connection admits another namespace instead": Scene(
        connection(allowedNamespaces={"from": "Names", "names": ["others"]}), "NotAllowed"
    ),
    "the connection admits everybody": Scene(connection(allowedNamespaces={"from": "All"})),
    "everybody may adopt": Scene(connection(allowedAdoption={"from": "All"})),
    "nobody elsewhere may add keys": Scene(connection(embedding={**EMBEDDING, "allowedNamespaces": NOBODY})),
    "another default key": Scene(
        connection(embedding={**EMBEDDING, "dashscope": {"credentialRef": {"name": SPARE.name}}})
    ),
    "no default key": Scene(connection(embedding={"allowedNamespaces": TO_SEARCH})),
    "the connection is gone": Scene(gone(CONNECTION), "NotAllowed", ""),
    "the function's grant is withdrawn": Scene(function(NOBODY), "NotAllowed"),
    "the function's grant is left out": Scene(function(None), "NotAllowed"),
    "the function is granted to everybody": Scene(function({"from": "All"})),
    "the function is gone": Scene(gone(FUNCTION), "NotAllowed"),
    "the credential's grant is withdrawn": Scene(credential(allowedNamespaces=NOBODY), "NotAllowed"),
    "the credential's grant names the function's namespace alone": Scene(
        credential(allowedNamespaces={"from": "Names", "names": ["shared"]}), "NotAllowed"
    ),
    "the credential is granted to everybody": Scene(credential(allowedNamespaces={"from": "All"})),
    "the credential is gone": Scene(gone(CREDENTIAL), "NotAllowed"),
}


def standing(stage: Stage) -> None:
    """All that the collection refers to, with the grants that it needs."""
    stage.surroundings()
    connection()(stage)
    credential(allowedNamespaces={"from": "Names", "names": ["search", "shared"]})(stage)
    function(TO_SEARCH)(stage)


async def stand(stage: Stage, spec: Mapping[str, object] = REFERRING) -> None:
    standing(stage)
    await stage.stand(spec)
    await stage.settle_all()
    stage.forget()


async def quiet(stage: Stage) -> None:
    """Ten looks at every object change nothing, there or in a status."""
    for _ in range(10):
        for key in stage.bench.world.bodies:
            await stage.bench.reconcile(key)
            assert not stage.bench.changed, (key, stage.bench.message(key))
        stage.bench.clock.advance(600)


def nothing_was_done(server: EmbeddedMilvus) -> None:
    assert [call.rpc for call in server.log] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", SCENES)
async def test_it_is_told_and_changes_nothing_in_milvus(make_stage: MakeStage, sentence: str, version: str) -> None:
    stage, scene = make_stage(version), SCENES[sentence]
    await stand(stage)

    scene.change(stage)
    await stage.settle_all()

    assert stage.ready[1] == scene.told, stage.message
    if scene.of_connection:
        assert stage.bench.condition(CONNECTION)[1] == scene.of_connection, stage.bench.message(CONNECTION)
    await quiet(stage)
    nothing_was_done(stage.server)

    standing(stage)
    await stage.settle_all()

    assert stage.ready == ("True", "Ready"), stage.message
    nothing_was_done(stage.server)


BY_DEFAULT: dict[str, Scene] = {
    "another default key": SCENES["another default key"],
    "no default key": SCENES["no default key"],
    "the credential of the default key is gone": Scene(gone(DEV)),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sentence", BY_DEFAULT)
async def test_one_that_spends_the_default_key(make_stage: MakeStage, sentence: str, version: str) -> None:
    stage, scene = make_stage(version), BY_DEFAULT[sentence]
    await stand(stage, {})

    scene.change(stage)
    await stage.settle_all()

    assert stage.ready[1] == scene.told, stage.message
    await quiet(stage)
    nothing_was_done(stage.server)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_credential_of_the_same_name_with_another_label(make_stage: MakeStage, version: str) -> None:
    """The label is immutable: the credential is deleted and made anew. The former label goes once nothing uses it."""
    stage = make_stage(version)
    await stand(stage)
    gone(CREDENTIAL, SPARE)(stage)
    await stage.settle_all()
    nothing_was_done(stage.server)

    stage.bench.apply(manifests.credential(CREDENTIAL, label="c", allowedNamespaces={"from": "All"}))
    await stage.settle_all()

    if version == "v2.6.0":
        assert stage.ready[1] == "Drifted", stage.message
        assert "upgrade Milvus to 2.6.7" in stage.message
        nothing_was_done(stage.server)
    else:
        assert stage.ready == ("True", "Ready"), stage.message
        assert stage.rpcs == ["AlterCollectionFunction"]
    stage.bench.clock.advance(600)
    await stage.settle_all()
    assert ("a" in stage.bench.rendered_keys()) == (version == "v2.6.0")
    await quiet(stage)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_uri_of_another_milvus_that_is_empty_and_back(
    make_stage: MakeStage, servers: Servers, version: str
) -> None:
    stage = make_stage(version)
    other = servers.of(VERSIONS[VERSIONS.index(version) - 1])
    await stand(stage)
    faq = manifest(REFERRING)
    faq["metadata"] = {"name": FAQ.name, "namespace": FAQ.namespace}
    stage.bench.apply(faq)
    await stage.bench.settle_ready(FAQ)
    await stage.settle_all()
    stage.forget()
    other.forget_calls()

    connection(uri=other.uri)(stage)
    await stage.settle_all()

    assert stage.bench.condition(CONNECTION) == ("False", "ServerReplaced")
    assert stage.ready == stage.bench.condition(FAQ) == ("False", "Lost")
    await quiet(stage)
    nothing_was_done(other)

    connection()(stage)
    await stage.settle_all()

    assert stage.bench.condition(CONNECTION) == ("True", "Ready")
    assert stage.ready == stage.bench.condition(FAQ) == ("True", "Ready")
    nothing_was_done(other)
    nothing_was_done(stage.server)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_adopted_stays_so_without_the_grant_and_what_was_not_is_not(
    make_stage: MakeStage, version: str
) -> None:
    stage = make_stage(version)
    await stand(stage)
    await unstamp(stage)
    stage.bench.world.remove(DOCS)
    stage.declare(REFERRING)
    await stage.settle_all()
    assert stage.ready == ("False", "NameTaken")
    nothing_was_done(stage.server)

    connection(allowedAdoption={"from": "All"})(stage)
    await observed(stage.bench)
    assert stage.ready == ("True", "Ready"), stage.message
    assert set(stage.rpcs) == {"AlterCollection"}
    stage.forget()

    connection(allowedAdoption=NOBODY)(stage)
    await stage.settle_all()

    assert stage.ready == ("True", "Ready"), stage.message
    await quiet(stage)
    nothing_was_done(stage.server)


async def unstamp(stage: Stage) -> None:
    """As if somebody else had made it."""
    found = stage.bench.world.resource(CONNECTION)
    milvus = await stage.bench.gateway.client(found, stage.bench.world)  # type: ignore[arg-type]
    described = await milvus.describe("default", "docs")
    assert described is not None
    ours = [key for key in described.schema.properties if key.startswith("embedding.milvus.io/")]
    await milvus.drop_properties("default", "docs", ours)
    stage.forget()
