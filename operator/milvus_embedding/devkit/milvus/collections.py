"""Life of collections: create (live check first, idempotent), describe as a real server does, drop, rename, list."""

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_embedding.devkit.milvus.catalog import CollectionRecord, complete, engine_schema, key_values
from milvus_embedding.devkit.milvus.field_rules import check_values
from milvus_embedding.devkit.milvus.functions import Functions
from milvus_embedding.devkit.milvus.rules import check_fields, check_name, check_properties, pairs
from milvus_embedding.devkit.milvus.status import RefusedError, collection_not_found, success

_PARTITION_KEY_BUCKETS = 16
# Newer 2.6 servers add it to every collection; a client has to live with properties that it did not set.
_SERVER_PROPERTIES, _SERVER_PROPERTIES_SINCE = {"timezone": "UTC"}, (2, 6)
MAX_FIELD_ID, _MAX_FIELD_ID_SINCE = "max_field_id", (3,)


class Collections(Functions):
    """See the module."""

    def CreateCollection(
        self, request: milvus_pb2.CreateCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        wanted = self._wanted(request, self.database(request, context))
        self.check_functions(wanted.schema, wanted.properties)
        check_name("collection name", wanted.name)
        check_fields(wanted.schema)
        check_values(wanted.schema, self.version)
        check_properties(wanted.properties, loaded=False, vector_indexed=False)
        complete(wanted.schema)
        with self.engine.lock:
            if wanted.name in self.engine.aliases(wanted.database):
                raise RefusedError(
                    f"collection name [{wanted.name}] conflicts with an existing alias, please choose a unique name"
                )
            existing = self.catalog.get(wanted.database, wanted.name)
            if existing is None:
                self._create(wanted)
            elif _definition(existing) != _definition(wanted):
                raise RefusedError(f"create duplicate collection with different parameters, collection: {wanted.name}")
        return success()

    def _wanted(self, request: milvus_pb2.CreateCollectionRequest, database: str) -> CollectionRecord:
        schema = schema_pb2.CollectionSchema.FromString(request.schema)
        schema.name = request.collection_name
        self.forget_unsupported(schema)
        keyed = any(field.is_partition_key for field in schema.fields)
        return CollectionRecord(
            database=database,
            name=request.collection_name,
            collection_id=0,
            created_timestamp=0,
            schema=schema,
            properties={**pairs(schema.properties), **pairs(request.properties)},
            shards=request.shards_num or 1,
            consistency_level=request.consistency_level,
            num_partitions=int(request.num_partitions or _PARTITION_KEY_BUCKETS) if keyed else 0,
        )

    def _create(self, record: CollectionRecord) -> None:
        self.engine.create(record.database, engine_schema(record.schema))
        record.collection_id = self.catalog.next_id()
        record.created_timestamp = record.collection_id
        self.catalog.save(record)

    def DescribeCollection(
        self, request: milvus_pb2.DescribeCollectionRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.DescribeCollectionResponse:
        record = self.record(request, context)
        aliases = self.engine.aliases(record.database)
        return milvus_pb2.DescribeCollectionResponse(
            status=success(),
            schema=record.schema,
            collectionID=record.collection_id,
            collection_name=record.name,
            db_name=record.database,
            created_timestamp=record.created_timestamp,
            created_utc_timestamp=record.created_timestamp >> 18,
            shards_num=record.shards,
            consistency_level=record.consistency_level,
            num_partitions=record.num_partitions or len(self.rows(record).list_partitions()),
            aliases=sorted(alias for alias, target in aliases.items() if target == record.name),
            properties=key_values({**self._server_properties(record), **record.properties}),
        )

    def _server_properties(self, record: CollectionRecord) -> dict[str, str]:
        given = _SERVER_PROPERTIES if self.version >= _SERVER_PROPERTIES_SINCE else {}
        if self.version >= _MAX_FIELD_ID_SINCE:
            given = {**given, MAX_FIELD_ID: str(max(field.fieldID for field in record.schema.fields))}
        return given

    def HasCollection(
        self, request: milvus_pb2.HasCollectionRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.BoolResponse:
        found = self.find(self.database(request, context), request.collection_name)
        return milvus_pb2.BoolResponse(status=success(), value=found is not None)

    def ShowCollections(
        self, request: milvus_pb2.ShowCollectionsRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.ShowCollectionsResponse:
        database = self.database(request, context)
        records = [record for name in self.catalog.names(database) if (record := self.catalog.get(database, name))]
        if request.type == milvus_pb2.ShowType.InMemory:
            records = [record for record in records if record.loaded]
        if request.collection_names:
            records = [record for record in records if record.name in request.collection_names]
        return milvus_pb2.ShowCollectionsResponse(
            status=success(),
            collection_names=[record.name for record in records],
            collection_ids=[record.collection_id for record in records],
            created_timestamps=[record.created_timestamp for record in records],
            created_utc_timestamps=[record.created_timestamp >> 18 for record in records],
            inMemory_percentages=[100 if record.loaded else 0 for record in records],
            query_service_available=[record.loaded for record in records],
            shards_num=[record.shards for record in records],
        )

    def DropCollection(
        self, request: milvus_pb2.DropCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        database, name = self.database(request, context), request.collection_name
        with self.engine.lock:
            aliases = self.engine.aliases(database)
            if name in aliases:
                raise RefusedError(f"cannot drop the collection via alias = {name}")
            own = sorted(alias for alias, target in aliases.items() if target == name)
            if own:
                raise RefusedError(
                    f"unable to drop the collection [{name}] because it has associated aliases {own}, please remove "
                    "all aliases before dropping the collection"
                )
            self.catalog.forget(database, name)
            self.engine.drop_collection(name, database_name=database)
        return success()

    def RenameCollection(
        self, request: milvus_pb2.RenameCollectionRequest, context: grpc.ServicerContext
    ) -> common_pb2.Status:
        database, old, new = self.database(request, context), request.oldName, request.newName
        check_name("collection name", new)
        if request.newDBName not in ("", database):
            raise RefusedError("rename collection across databases is not supported by the embedded server")
        with self.engine.lock:
            aliases = self.engine.aliases(database)
            if old in aliases:
                raise RefusedError(f"unsupported use an alias to rename collection, alias: {old}")
            if new in aliases:
                raise RefusedError(f"cannot rename collection to an existing alias: {new}")
            record = self.catalog.get(database, old)
            if record is None:
                raise collection_not_found(database, old)
            if self.catalog.get(database, new) is not None:
                raise RefusedError(
                    f"duplicated new collection name {new} in database {database} with other collection name or alias"
                )
            self.engine.rename_collection(old, new, database_name=database)
            self.catalog.forget(database, old)
            record.name = record.schema.name = new
            self.catalog.save(record)
        return success()

    def TruncateCollection(
        self, request: milvus_pb2.TruncateCollectionRequest, context: grpc.ServicerContext
    ) -> milvus_pb2.TruncateCollectionResponse:
        record = self.record(request, context)
        with self.engine.lock:
            response = super().TruncateCollection(request, context)
            # The engine makes the folder anew.
            self.catalog.save(record)
        return response


def _definition(record: CollectionRecord) -> tuple[object, ...]:
    """What CreateCollection compares with a collection of the same name: everything but the functions."""
    return (
        record.name,
        record.schema.description,
        record.schema.enable_dynamic_field,
        record.shards,
        record.consistency_level,
        record.num_partitions,
        record.properties,
        [_field_definition(field) for field in record.schema.fields],
    )


def _field_definition(field: schema_pb2.FieldSchema) -> tuple[object, ...]:
    plain = schema_pb2.FieldSchema()
    plain.CopyFrom(field)
    plain.is_function_output = False
    del plain.type_params[:]
    return (plain.SerializeToString(deterministic=True), pairs(field.type_params))
