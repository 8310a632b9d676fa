"""The yardstick: an operator for MilvusCollection as kopf's documentation teaches it, run by `kopf run`.

One handler for create, update and resume brings the collection about with MilvusClient and reports in the status;
everything else is kopf's default. It does less than the product: one Milvus, no credentials, no ownership, no drift, no
deletion. A delete handler would add a finalizer, and with it one more write per object.

`sync=False` at create_index is in its favour: by default pymilvus sleeps half a second before it asks for the index.
"""

import os
from datetime import UTC, datetime
from typing import Any

import kopf
from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient

GROUP, VERSION, PLURAL = "embedding.milvus.io", "v1alpha1", "milvuscollections"


@kopf.on.startup()
def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.milvus = MilvusClient(os.environ["MILVUS_URI"])


@kopf.on.resume(GROUP, VERSION, PLURAL)
@kopf.on.create(GROUP, VERSION, PLURAL)
@kopf.on.update(GROUP, VERSION, PLURAL)
def reconcile(
    name: str, spec: kopf.Spec, meta: kopf.Meta, status: kopf.Status, patch: kopf.Patch, memo: kopf.Memo, **_: Any
) -> None:
    milvus: MilvusClient = memo.milvus
    collection = spec.get("collectionName") or name.replace("-", "_")
    if not milvus.has_collection(collection):
        milvus.create_collection(collection, schema=schema_of(spec), timeout=60)
    if not milvus.list_indexes(collection):
        indexes = milvus.prepare_index_params()
        for index in spec["indexes"]:
            indexes.add_index(index["field"], index_type=index["type"], metric_type=index["metric"])
        milvus.create_index(collection, indexes, timeout=60, sync=False)
    if milvus.get_load_state(collection)["state"].name != "Loaded":
        milvus.load_collection(collection, timeout=60)
    described = milvus.describe_collection(collection)
    if not described["functions"]:
        raise kopf.PermanentError("Milvus keeps no functions; Milvus 2.6 or newer is needed")
    patch.status["observedGeneration"] = meta["generation"]
    patch.status["collection"] = {"name": collection, "id": str(described["collection_id"])}
    patch.status["conditions"] = [ready_condition(status, meta["generation"])]


def schema_of(spec: kopf.Spec) -> CollectionSchema:
    schema = MilvusClient.create_schema()
    for field in spec["fields"]:
        options = {"dim": field.get("dim"), "max_length": field.get("maxLength")}
        schema.add_field(
            field["name"],
            DataType[field["type"]],
            is_primary=field.get("primaryKey", False),
            **{option: value for option, value in options.items() if value is not None},
        )
    for function in spec["functions"]:
        schema.add_function(
            Function(
                name=function["name"],
                function_type=FunctionType.TEXTEMBEDDING,
                input_field_names=function["inputFields"],
                output_field_names=function["outputFields"],
                params={"provider": "dashscope", "model_name": function["textEmbedding"]["dashscope"]["model"]},
            )
        )
    return schema


def ready_condition(status: kopf.Status, generation: int) -> dict[str, Any]:
    """Keeps the time of the last transition, so that a pass that found nothing new patches nothing new."""
    before = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "the collection is created and loaded",
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before else now,
    }
