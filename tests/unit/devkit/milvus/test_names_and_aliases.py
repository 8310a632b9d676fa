"""One name space for collections and aliases; databases; what is absent; dropping and renaming."""

from collections.abc import Callable

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from tests.unit.devkit.milvus.builders import create_docs

Connect = Callable[..., MilvusClient]


@pytest.fixture
def two(client: MilvusClient) -> MilvusClient:
    """Collections `first` and `second`, alias `live` on `first`."""
    create_docs(client, "first")
    create_docs(client, "second")
    client.create_alias("first", "live")
    return client


def refused(call: Callable[..., object], *arguments: object) -> MilvusException:
    with pytest.raises(MilvusException) as error:
        call(*arguments)
    assert isinstance(error.value, MilvusException)
    return error.value


def test_describe_answers_for_an_alias_with_the_real_name(two: MilvusClient) -> None:
    described = two.describe_collection("live")
    assert described["collection_name"] == "first"
    assert described["aliases"] == ["live"]
    assert two.has_collection("live")
    assert two.list_collections() == ["first", "second"]


def test_creating_an_alias_again_succeeds_and_elsewhere_is_1602(two: MilvusClient) -> None:
    two.create_alias("first", "live")
    error = refused(two.create_alias, "second", "live")
    assert (error.code, "alias to another collection: first" in error.message) == (1602, True)


def test_altering_an_alias_moves_it(two: MilvusClient) -> None:
    two.alter_alias("second", "live")
    assert two.describe_alias("live")["collection_name"] == "second"
    assert two.list_aliases("first")["aliases"] == []
    assert two.list_aliases("second")["aliases"] == ["live"]


def test_an_absent_alias_is_1600_but_dropping_it_succeeds(two: MilvusClient) -> None:
    assert refused(two.describe_alias, "nope").code == 1600
    assert refused(two.alter_alias, "first", "nope").code == 1600
    two.drop_alias("nope")


def test_an_alias_may_not_be_named_like_a_collection(two: MilvusClient) -> None:
    assert refused(two.create_alias, "first", "second").code == 1601
    assert refused(two.alter_alias, "first", "second").code == 1601


def test_a_collection_may_not_be_named_like_an_alias(two: MilvusClient) -> None:
    assert "conflicts with an existing alias" in refused(create_docs, two, "live").message


def test_an_alias_needs_a_collection_and_a_good_name(two: MilvusClient) -> None:
    assert refused(two.create_alias, "nope", "x").code == 100
    assert refused(two.create_alias, "first", "a b").code == 1100


def test_dropping_by_alias_or_with_aliases_is_refused(two: MilvusClient) -> None:
    assert "via alias = live" in refused(two.drop_collection, "live").message
    assert "has associated aliases" in refused(two.drop_collection, "first").message
    two.drop_alias("live")
    two.drop_collection("first")
    two.drop_collection("first")
    assert two.list_collections() == ["second"]


def test_renaming_keeps_id_properties_and_aliases(two: MilvusClient) -> None:
    before = two.describe_collection("first")
    two.rename_collection("first", "renamed")
    after = two.describe_collection("live")
    assert after["collection_name"] == "renamed"
    assert after["collection_id"] == before["collection_id"]
    assert not two.has_collection("first")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("first", "second", "duplicated new collection name second", id="to a collection's name"),
        pytest.param("first", "live", "existing alias: live", id="to an alias' name"),
        pytest.param("live", "x", "unsupported use an alias", id="by an alias"),
        pytest.param("nope", "x", "collection not found", id="of nothing"),
        pytest.param("first", "a-b", "Invalid collection name", id="to a bad name"),
    ],
)
def test_renaming_is_refused(two: MilvusClient, old: str, new: str, message: str) -> None:
    assert message in refused(two.rename_collection, old, new).message


def test_an_absent_collection_is_100(client: MilvusClient) -> None:
    for call in (client.describe_collection, client.load_collection, client.list_indexes, client.list_partitions):
        assert refused(call, "nope").code == 100
    assert not client.has_collection("nope")


def test_a_missing_database_is_800(connect: Connect) -> None:
    client = connect(db_name="nope")
    for call in (client.describe_collection, client.load_collection, client.drop_collection):
        error = refused(call, "docs")
        assert (error.code, error.message) == (800, "database not found[database=nope]")
    assert refused(client.list_collections).code == 800
    assert refused(create_docs, client).code == 800


def test_databases_hold_collections_of_one_name_apart(client: MilvusClient, connect: Connect) -> None:
    client.create_database("team")
    team = connect(db_name="team")
    create_docs(client)
    create_docs(team)
    assert client.describe_collection("docs")["collection_id"] != team.describe_collection("docs")["collection_id"]
    assert "already exist" in refused(client.create_database, "team").message
    assert "not empty" in refused(client.drop_database, "team").message
    team.drop_collection("docs")
    client.drop_database("team")
    client.drop_database("team")
    assert client.list_databases() == ["default"]


def test_a_database_needs_a_good_name(client: MilvusClient) -> None:
    assert refused(client.create_database, "a b").code == 802
    assert "default" in refused(client.drop_database, "default").message
