"""What the product relies on in DashScope, asked of the stand-in, and of the real service too when DASHSCOPE_API_KEY is
set: a handful of requests with one short text each.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from milvus_embedding.clients.dashscope.adapter import HttpKeyProbe, request_body
from milvus_embedding.clients.dashscope.port import NATIVE_ENDPOINT, Verdict
from milvus_embedding.devkit.dashscope import DashScopeStandIn
from milvus_embedding.domain.catalogue import CATALOGUE

REAL_KEY = os.environ.get("DASHSCOPE_API_KEY", "")
SERVICES = ["the stand-in", *(["the real service"] if REAL_KEY else [])]
WRONG_KEY = "sk-not-a-key-of-anybody"
DIMENSIONS = [(model.name, dim, model.reducible) for model in CATALOGUE.values() for dim in model.dims]


@dataclass(frozen=True)
class Service:
    url: str
    key: str = field(repr=False)

    def embed(self, model: str, *, dimension: int | None = None, key: str = "") -> httpx.Response:
        """One short text, in the request that Milvus sends."""
        body = request_body(model)
        parameters = {"text_type": "document", "output_type": "dense"}
        if dimension is not None:
            body["parameters"] = {**parameters, "dimension": dimension}
        return httpx.post(self.url, headers={"Authorization": f"Bearer {key or self.key}"}, json=body, timeout=30)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    if request.param == "the real service":
        yield Service(os.environ.get("DASHSCOPE_URL", NATIVE_ENDPOINT), REAL_KEY)
        return
    with DashScopeStandIn({"sk-stand-in-key"}) as stand_in:
        yield Service(stand_in.url, "sk-stand-in-key")


@pytest.mark.parametrize(("model", "dim", "reducible"), DIMENSIONS, ids=lambda value: str(value))
def test_a_model_of_the_catalogue_gives_vectors_of_each_of_its_dimensions(
    service: Service, model: str, dim: int, reducible: bool
) -> None:
    answer = service.embed(model, dimension=dim if reducible else None)

    assert answer.status_code == 200
    [embedding] = answer.json()["output"]["embeddings"]
    assert (embedding["text_index"], len(embedding["embedding"])) == (0, dim)
    assert answer.json()["usage"]["total_tokens"] > 0


def test_without_a_dimension_the_model_s_default_is_used(service: Service) -> None:
    [embedding] = service.embed("text-embedding-v3").json()["output"]["embeddings"]

    assert len(embedding["embedding"]) == CATALOGUE["text-embedding-v3"].default_dim


def test_a_wrong_key_is_a_401_with_a_code(service: Service) -> None:
    answer = service.embed("text-embedding-v3", key=WRONG_KEY)

    assert (answer.status_code, answer.json()["code"]) == (401, "InvalidApiKey")


async def test_the_probe_tells_a_key_that_embeds_from_one_that_does_not(service: Service) -> None:
    probe = HttpKeyProbe()

    accepted = await probe.probe(url=service.url, key=service.key, model="text-embedding-v3")
    rejected = await probe.probe(url=service.url, key=WRONG_KEY, model="text-embedding-v3")

    assert accepted.verdict is Verdict.ACCEPTED
    assert (rejected.verdict, rejected.status, rejected.code) == (Verdict.REJECTED, 401, "InvalidApiKey")


async def test_the_probe_does_not_take_an_unknown_model_for_a_bad_key(service: Service) -> None:
    result = await HttpKeyProbe().probe(url=service.url, key=service.key, model="text-embedding-of-nobody")

    assert result.verdict is Verdict.REFUSED
