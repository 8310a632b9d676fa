"""The models: what they take, what they forget, and what they never do."""

import copy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_embedding.api.collection import ChangeClass, CollectionStatus, MilvusCollection
from milvus_embedding.api.connection import MilvusConnection, RolloutSpec, RolloutStrategy
from milvus_embedding.api.credential import EmbeddingCredential, Provider
from milvus_embedding.api.kinds import KINDS
from milvus_embedding.api.model import InvalidObjectError, Model, ReadOnlyMap, yaml_name
from milvus_embedding.api.references import Key
from milvus_embedding.api.schema import FieldSpec, IndexSpec, Metric
from tests.contract.cases import BASES, COLLECTION, CONNECTION, CREDENTIAL, Body, changed


@pytest.mark.parametrize("body", BASES, ids=lambda body: str(body["kind"]))
def test_a_valid_object_of_each_kind_is_parsed(body: Body) -> None:
    kind = str(body["kind"])

    resource = KINDS[kind].parse(body)

    assert resource.KIND == kind
    assert resource.key == Key(kind, resource.namespace, resource.name)


def test_metadata_is_parsed_as_the_api_server_gives_it() -> None:
    body = changed(
        CONNECTION,
        {
            "metadata.uid": "u",
            "metadata.generation": 3,
            "metadata.resourceVersion": "17",
            "metadata.creationTimestamp": "2025-01-02T03:04:05Z",
            "metadata.deletionTimestamp": None,
            "metadata.annotations": {"a": "b"},
            "metadata.managedFields": [],
        },
    )

    metadata = MilvusConnection.parse(body).metadata

    assert (metadata.uid, metadata.generation, metadata.resource_version) == ("u", 3, "17")
    assert metadata.creation_timestamp == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert metadata.annotations == {"a": "b"}
    assert metadata.labels == {}


def test_unset_null_and_empty_are_the_same() -> None:
    absent = EmbeddingCredential.parse(CREDENTIAL)
    empty = EmbeddingCredential.parse(
        changed(CREDENTIAL, {"spec.label": "", "spec.quota": {"group": ""}, "spec.connectionRef.namespace": ""})
    )
    null = EmbeddingCredential.parse(changed(CREDENTIAL, {"spec.label": None, "spec.quota": None}))

    assert absent.spec == empty.spec == null.spec
    assert absent.spec.provider is Provider.DASHSCOPE


def test_an_empty_default_value_is_a_value() -> None:
    field = FieldSpec.model_validate({"name": "a", "type": "VARCHAR", "maxLength": 9, "defaultValue": ""})

    assert field.default_value == ""


def test_an_empty_block_of_a_choice_is_chosen() -> None:
    body = changed(CREDENTIAL, {"spec.external": {}, "spec.label": "a"})

    assert EmbeddingCredential.parse(body).spec.external is not None


def test_irregular_names_are_those_of_the_yaml() -> None:
    field = FieldSpec.model_validate({"name": "id", "type": "INT64", "primaryKey": True, "autoID": True})

    assert field.auto_id
    assert field.to_yaml() == {"name": "id", "type": "INT64", "primaryKey": True, "autoID": True}
    assert [yaml_name(name) for name in ("from_", "class_", "api_key_secret_ref")] == [
        "from",
        "class",
        "apiKeySecretRef",
    ]


def test_scalars_keep_their_type_and_nested_values_become_json() -> None:
    properties = {"a": True, "b": 1, "c": 0.5, "d": "1", "e": {"x": [1]}, "f": None}
    spec = MilvusCollection.parse(changed(COLLECTION, {"spec.properties": properties})).spec

    assert dict(spec.properties) == {"a": True, "b": 1, "c": 0.5, "d": "1", "e": '{"x":[1]}'}
    assert [type(spec.properties[key]) for key in "abcd"] == [bool, int, float, str]


def test_properties_of_the_operator_are_named() -> None:
    body = changed(COLLECTION, {"spec.properties": {"collection.ttl.seconds": 1}})
    claimed = {"embedding.milvus.io/owner": "x", "collection.ttl.seconds": 1}

    assert MilvusCollection.parse(body).spec.reserved_properties == ()
    spec = MilvusCollection.parse(changed(COLLECTION, {"spec.properties": claimed})).spec
    assert spec.reserved_properties == ("embedding.milvus.io/owner",)


def test_objects_cannot_be_changed_and_can_be_copied_and_hashed() -> None:
    collection = MilvusCollection.parse(changed(COLLECTION, {"spec.properties": {"a": 1}}))

    with pytest.raises(ValueError, match="frozen"):
        collection.spec.paused = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        collection.spec.properties["b"] = 2  # type: ignore[index]
    assert copy.deepcopy(collection) == collection
    assert hash(collection) == hash(MilvusCollection.parse(changed(COLLECTION, {"spec.properties": {"a": 1}})))


def test_what_cannot_be_read_is_named_without_its_value() -> None:
    body = changed(CREDENTIAL, {"spec.apiKeySecretRef": "sk-not-a-real-key", "spec.label": 7})

    with pytest.raises(InvalidObjectError) as caught:
        EmbeddingCredential.parse(body)

    assert "spec.apiKeySecretRef" in str(caught.value)
    assert "spec.label" in str(caught.value)
    assert "sk-not" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_status_of_another_version_is_read_as_far_as_it_goes() -> None:
    status = CollectionStatus.model_validate(
        {
            "observedGeneration": 4,
            "collection": {"name": "docs", "id": 17, "shape": "round"},
            "plan": {"hash": "h", "class": "Cosmic", "steps": [{"action": "x", "class": "Rebuild", "from": "a"}]},
            "migration": "soon",
        }
    )

    assert (status.observed_generation, status.collection.name, status.collection.id) == (4, "docs", None)
    assert status.plan is not None
    assert (status.plan.hash, status.plan.class_) == ("h", None)
    assert (status.plan.steps[0].class_, status.plan.steps[0].from_) == (ChangeClass.REBUILD, "a")
    assert status.migration is None


def test_a_condition_is_found_by_its_type() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2025-01-02T03:04:05Z"}
    status = CollectionStatus.model_validate({"conditions": [ready]})

    assert status.condition("Ready") is not None
    assert status.condition("Loaded") is None


def test_an_object_is_being_deleted_once_it_has_the_time() -> None:
    deleted = changed(COLLECTION, {"metadata.deletionTimestamp": "2025-01-02T03:04:05Z"})

    assert not MilvusCollection.parse(COLLECTION).is_deleted
    assert MilvusCollection.parse(deleted).is_deleted


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, RolloutStrategy.NONE, id="nothing to restart: None"),
        pytest.param(
            {"spec.milvusRef": {"name": "m"}}, RolloutStrategy.RESTART, id="a Milvus of the operator: Restart"
        ),
        pytest.param(
            {"spec.embedding.rollout": {"workloads": {"selector": {"matchLabels": {"a": "b"}}}}},
            RolloutStrategy.RESTART,
            id="workloads: Restart",
        ),
        pytest.param(
            {"spec.milvusRef": {"name": "m"}, "spec.embedding.rollout": {"strategy": "Live"}},
            RolloutStrategy.LIVE,
            id="as written",
        ),
    ],
)
def test_the_strategy_is_computed_if_not_written(changes: Body, expected: RolloutStrategy) -> None:
    assert MilvusConnection.parse(changed(CONNECTION, changes)).spec.effective_strategy is expected


def test_a_connection_without_embedding_rolls_nothing_and_has_no_secret() -> None:
    connection = MilvusConnection.parse(changed(CONNECTION, {"spec.embedding": None}))

    assert connection.spec.effective_strategy is RolloutStrategy.NONE
    assert connection.secret_name is None
    assert RolloutSpec().effective_strategy(has_milvus_ref=False) is RolloutStrategy.NONE


def test_names_are_computed_if_not_written() -> None:
    assert MilvusConnection.parse(CONNECTION).secret_name == "c-embedding-config"
    named = changed(CONNECTION, {"spec.embedding": {"secretName": "mine"}})
    assert MilvusConnection.parse(named).secret_name == "mine"
    dashed = changed(COLLECTION, {"metadata.name": "product-docs"})
    assert MilvusCollection.parse(dashed).effective_collection_name == "product_docs"
    chosen = changed(COLLECTION, {"spec.collectionName": "texts"})
    assert MilvusCollection.parse(chosen).effective_collection_name == "texts"


def test_every_vector_has_an_index_and_a_metric() -> None:
    fields = [
        {"name": "id", "type": "INT64", "primaryKey": True},
        {"name": "text", "type": "VARCHAR", "maxLength": 9, "analyzer": {"enabled": True}},
        {"name": "words", "type": "SPARSE_FLOAT_VECTOR"},
        {"name": "bits", "type": "BINARY_VECTOR", "dim": 8},
        {"name": "dense", "type": "FLOAT_VECTOR", "dim": 8},
    ]
    functions = [{"name": "f", "inputFields": ["text"], "outputFields": ["words"], "bm25": {}}]
    indexes = [{"field": "id", "type": "STL_SORT"}, {"field": "dense", "name": "d", "type": "HNSW", "metric": "L2"}]
    body = changed(COLLECTION, {"spec.fields": fields, "spec.functions": functions, "spec.indexes": indexes})

    assert MilvusCollection.parse(body).spec.effective_indexes == (
        IndexSpec(field="id", type="STL_SORT"),
        IndexSpec(field="dense", name="d", type="HNSW", metric=Metric.L2),
        IndexSpec(field="words", metric=Metric.BM25),
        IndexSpec(field="bits", metric=Metric.HAMMING),
    )


def test_what_is_written_back_has_yaml_names_and_no_defaults() -> None:
    spec = MilvusCollection.parse(COLLECTION).spec

    assert spec.to_yaml() == COLLECTION["spec"]


_WORDS = st.from_regex(r"[a-z]{1,8}(_[a-z]{1,8}){0,3}", fullmatch=True)


@given(_WORDS)
def test_yaml_names_are_camel_case_and_lose_nothing(name: str) -> None:
    camel = yaml_name(name)

    assert "_" not in camel
    assert camel.lower() == name.replace("_", "")


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_a_read_only_map_is_what_the_dict_is(items: dict[str, int | str]) -> None:
    frozen = ReadOnlyMap(items)

    assert frozen == items
    assert len(frozen) == len(items)
    assert hash(frozen) == hash(ReadOnlyMap(dict(reversed(items.items()))))
    assert copy.copy(frozen) is frozen
    assert repr(frozen) == repr(items)


def test_all_models_refuse_to_be_changed() -> None:
    def subclasses(model: type[Model]) -> list[type[Model]]:
        return [model, *(leaf for child in model.__subclasses__() for leaf in subclasses(child))]

    assert all(model.model_config.get("frozen") for model in subclasses(Model))
