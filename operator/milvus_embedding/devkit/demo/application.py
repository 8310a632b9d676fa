"""The product team's part: an application that inserts texts and searches by text, and never sees a vector or a key."""

from typing import Final

import yaml
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from milvus_embedding.devkit.demo.narration import DemoFailed, Narrator, expect
from milvus_embedding.domain.rendering.document import FILE_KEY, masked, to_yaml

COLLECTION: Final = "docs"
FUNCTION: Final = "ali"
LABELS: Final = {"apikey_dev", "apikey_prod"}

TEXTS: Final = (
    "Milvus is a vector database that stores embeddings and searches them by similarity.",
    "Green tea from Hangzhou is picked in early spring, before the rain.",
    "A credential label names an API key in milvus.yaml.",
    "A rolling update restarts one pod at a time, so that users notice nothing.",
    "The night train from Beijing to Shanghai takes twelve hours.",
    "Photosynthesis turns sunlight, water and carbon dioxide into sugar.",
    "The recipe needs flour, eggs, butter and a pinch of salt.",
    "向量数据库按相似度检索文本。",
    "西湖的龙井茶在清明前采摘。",
    "密钥保存在 Kubernetes 的 Secret 里。",
    "高铁从北京到上海大约需要四个半小时。",
    "光合作用把阳光、水和二氧化碳变成糖。",
)
QUESTIONS: Final = (
    ("How many hours does the night train to Shanghai take?", 4),
    ("龙井茶什么时候采摘", 8),
    ("Which label names the API key in milvus.yaml?", 2),
)
"""A question, and the position in TEXTS of its answer."""


def show_configuration(narrator: Narrator, text: bytes, keys: set[str]) -> None:
    """Shows the rendered sections without the keys. Raises DemoFailed."""
    sections = yaml.safe_load(text)
    labels = set(sections.get("credential", {}))
    expect(labels == LABELS, f"{FILE_KEY} has the labels {sorted(labels)}; expected were {sorted(LABELS)}")
    shown = to_yaml(masked(sections))
    expect(not any(key in shown for key in keys), f"an API key would be shown of {FILE_KEY}")
    narrator.show(shown)


def use_collection(narrator: Narrator, uri: str) -> None:
    """Describes the collection, fills it and searches it. Raises DemoFailed."""
    try:
        client = MilvusClient(uri=uri, timeout=60)
    except MilvusException as error:
        raise DemoFailed(f"Milvus at {uri} does not answer (code {error.code})") from None
    try:
        with narrator.step(f"What Milvus says of the collection {COLLECTION}"):
            _describe(narrator, client)
        with narrator.step(f"Insert {len(TEXTS)} texts; Milvus has DashScope embed them"):
            rows = [{"id": number, "document": text} for number, text in enumerate(TEXTS)]
            inserted = client.insert(COLLECTION, rows)["insert_count"]
            expect(inserted == len(TEXTS), f"{inserted} of {len(TEXTS)} texts were inserted")
        with narrator.step("Search by text"):
            for question, answer in QUESTIONS:
                _ask(narrator, client, question, answer)
    except MilvusException as error:
        raise DemoFailed(f"Milvus refused a call of the application (code {error.code})") from None
    finally:
        client.close()


def _describe(narrator: Narrator, client: MilvusClient) -> None:
    described = client.describe_collection(COLLECTION)
    for field in described["fields"]:
        facts = [DataType(field["type"]).name, *(f"{name}={value}" for name, value in field["params"].items())]
        facts += ["primary key"] if field.get("is_primary") else []
        facts += ["made by a function"] if field.get("is_function_output") else []
        narrator.show(f"field     {field['name']:<9} {', '.join(facts)}")
    functions = {function["name"]: function for function in described["functions"]}
    for name, function in functions.items():
        arrow = f"{function['input_field_names'][0]} -> {function['output_field_names'][0]}"
        facts = [f"{key}={value}" for key, value in function["params"].items()]
        narrator.show(f"function  {name:<9} {arrow}: {', '.join(facts)}")
    expect(FUNCTION in functions, f"the collection {COLLECTION} has no function {FUNCTION}")
    params = functions[FUNCTION]["params"]
    expect(params.get("provider") == "dashscope", f"the provider of {FUNCTION} is not dashscope")
    dims = [field["params"].get("dim") for field in described["fields"] if field["name"] == "dense"]
    expect([str(dim) for dim in dims] == ["1024"], f"the field dense has dim {dims}; expected was 1024")


def _ask(narrator: Narrator, client: MilvusClient, question: str, answer: int) -> None:
    hits = client.search(COLLECTION, data=[question], limit=1, output_fields=["document"], consistency_level="Strong")[
        0
    ]
    expect(len(hits) == 1, f"the search for {question!r} found nothing")
    narrator.show(f"{question}\n  -> {hits[0]['entity']['document']}  ({hits[0]['distance']:.2f})")
    expect(hits[0]["id"] == answer, f"the search for {question!r} should have found {TEXTS[answer]!r}")
