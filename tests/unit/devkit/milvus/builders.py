"""What the tests build: milvus.yaml files, the manual's function and its collection."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pymilvus import DataType, Function, FunctionType, MilvusClient

DEV_KEY, PROD_KEY = "sk-dev-0001", "sk-prod-0002"


@dataclass
class Workspace:
    """The folders of one server, and its milvus.yaml."""

    data: Path
    config: Path
    url: str

    def write(
        self, credentials: Mapping[str, str], default: str = "", extra: str = "", name: str = "milvus.yaml"
    ) -> None:
        labels = "".join(f'  {label}:\n    apikey: "{key}"\n' for label, key in credentials.items())
        credential = f'        credential: "{default}"\n' if default else ""
        text = f"credential:\n{labels}" if credentials else ""
        text += f'function:\n  textEmbedding:\n    providers:\n      dashscope:\n        url: "{self.url}"\n'
        text += credential + extra
        (self.config / name).write_text(text, encoding="utf-8")


def ali(**params: object) -> Function:
    """The manual's function; a parameter of None is left out."""
    merged = {"provider": "dashscope", "model_name": "text-embedding-v3", **params}
    return Function(
        name="ali",
        function_type=FunctionType.TEXTEMBEDDING,
        input_field_names=["document"],
        output_field_names=["dense"],
        params={key: value for key, value in merged.items() if value is not None},
    )


def create_docs(
    client: MilvusClient,
    name: str = "docs",
    *,
    function: Function | None = None,
    dim: int = 1024,
    loaded: bool = False,
    description: str = "",
    auto_id: bool = False,
    **arguments: object,
) -> None:
    """The manual's collection; `loaded` adds the index and loads it."""
    schema = client.create_schema(description=description)
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=auto_id)
    schema.add_field("document", DataType.VARCHAR, max_length=9000)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=dim)
    schema.add_function(function or ali())
    client.create_collection(name, schema=schema, **arguments)
    if loaded:
        index_dense(client, name)
        client.load_collection(name)


def index_dense(client: MilvusClient, name: str = "docs", *, index_name: str = "", **arguments: object) -> None:
    params = client.prepare_index_params()
    options = {"index_type": "AUTOINDEX", "metric_type": "COSINE", **arguments}
    params.add_index("dense", index_name=index_name, **options)
    client.create_index(name, params, sync=False)
