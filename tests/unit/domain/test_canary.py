"""The temporary collection: always under one name, and never mistaken for another."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.clients.milvus import encode
from milvus_embedding.domain import canary, ownership
from milvus_embedding.domain.canary import MARK, Temporary, is_marked
from milvus_embedding.domain.ownership import Owner
from milvus_embedding.domain.schema import Description

OWNER = Owner("cluster-1", "milvus", "milvus")
TEMPORARY = Temporary(owner=OWNER, uid="uid-1", accepted_ids=("former-cluster",))
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


def described(**changes: str) -> Description:
    """What was made, with other properties; "" takes one away."""
    schema = TEMPORARY.schema("apikey_dev")
    properties = {name: value for name, value in {**schema.properties, **changes}.items() if value}
    return Description(name=TEMPORARY.name, id="1", schema=dataclasses.replace(schema, properties=properties))


@given(NAMES, NAMES)
def test_its_name_is_one_that_milvus_takes_and_another_for_each_connection(namespace: str, name: str) -> None:
    found = Temporary(owner=Owner("a", namespace, name), uid="").name
    assert found.isidentifier()
    assert len(found) == len("embedding_canary_") + 16
    assert found != Temporary(owner=Owner("a", namespace, name + "x"), uid="").name
    assert found == Temporary(owner=Owner("another installation", namespace, name), uid="another life").name


def test_its_one_function_names_the_label() -> None:
    (function,) = TEMPORARY.schema("apikey_dev").functions
    assert function.params == {"provider": "dashscope", "model_name": "text-embedding-v3", "credential": "apikey_dev"}


def test_without_a_label_it_takes_the_default_key() -> None:
    (function,) = TEMPORARY.schema(None).functions
    assert "credential" not in function.params


def test_it_can_be_sent() -> None:
    schema = TEMPORARY.schema("apikey_dev")
    assert encode.create_collection_request("default", TEMPORARY.name, schema).collection_name == TEMPORARY.name


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(described(), id="as it was made"),
        pytest.param(described(timezone="UTC"), id="with properties that the server added"),
        pytest.param(described(**{ownership.UID: "another"}), id="made for an earlier life of the connection"),
        pytest.param(
            described(**{ownership.OWNER: "former-cluster/milvus/milvus"}), id="made under an owner id that is accepted"
        ),
    ],
)
def test_what_is_ours_may_be_dropped(found: Description) -> None:
    assert TEMPORARY.objection(found) is None
    assert is_marked(found.schema.properties)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        pytest.param(described(**{ownership.OWNER: ""}), "not made by this operator", id="no stamp"),
        pytest.param(
            described(**{ownership.OWNER: "cluster-2/milvus/milvus"}), "not made by", id="of another installation"
        ),
        pytest.param(
            described(**{ownership.OWNER: "cluster-1/milvus/other"}), "not made by", id="of another connection"
        ),
        pytest.param(described(**{MARK: ""}), "not made by this operator for proving", id="our stamp without the mark"),
        pytest.param(described(**{MARK: "false"}), "not made by", id="another mark"),
        pytest.param(dataclasses.replace(described(), name="docs"), "is an alias", id="an alias of that name"),
        pytest.param(
            dataclasses.replace(described(), aliases=("current",)), "alias current", id="ours, with an alias on it"
        ),
    ],
)
def test_nothing_else_is_touched(found: Description, text: str) -> None:
    assert text in (TEMPORARY.objection(found) or "")


def test_an_ordinary_collection_bears_no_mark() -> None:
    assert not is_marked(ownership.stamp(OWNER, uid="1", identities={}))
    assert canary.DATABASE == "default"
