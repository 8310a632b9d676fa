"""Milvus' DashScope provider: where it finds the key, what it sends, what it checks, and its literal error texts.

As in Milvus a provider lives for one request and is built from the configuration of that moment. There is no cache and
no rate limit: one chain of HTTP calls per request. The texts of errors quote the provider's raw body, as Milvus does,
which is exactly why the operator must not.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from milvus_embedding.devkit.dashscope.gate import Gate
from milvus_embedding.devkit.milvus.config import MilvusYaml

DEFAULT_URL = "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding"
KEY_VARIABLES = ("MILVUS_DASHSCOPE_API_KEY", "MILVUSAI_DASHSCOPE_API_KEY")
_ATTEMPTS = 3
_BATCH, _BATCH_OF_V3 = 25, 6
_LOOPBACK = ("all://127.0.0.1", "all://localhost")


class ProviderError(Exception):
    """The text that Milvus would give."""


@dataclass(frozen=True, slots=True)
class Target:
    """One function, as far as the provider needs it: its parameters with lower-case keys, the output field, its dim."""

    function: str
    output_field: str
    dimension: int
    parameters: Mapping[str, str] = field(default_factory=dict)


class Providers:
    """Builds a provider per request. `sleep` waits between attempts; gates hold embedding calls for tests."""

    def __init__(
        self,
        config: MilvusYaml,
        *,
        timeout_seconds: float = 30.0,
        retry_backoff_seconds: float = 1.0,
        sleep: Callable[[float], object] | None = None,
        gates: Callable[[], Sequence[Gate]] = tuple,
    ) -> None:
        self.config = config
        self.retry_backoff_seconds = retry_backoff_seconds
        self.gates = gates
        self._stopped = threading.Event()
        self.sleep = sleep or self._stopped.wait
        # A proxy from the environment serves the real service; the stand-in is never behind it.
        self.http = httpx.Client(timeout=timeout_seconds, mounts=dict.fromkeys(_LOOPBACK))

    def close(self) -> None:
        self._stopped.set()
        self.http.close()

    def open(self, target: Target) -> "Provider":
        """Resolves the key and checks the parameters. Raises ProviderError."""
        name = target.parameters.get("provider", "").lower()
        if not target.parameters:
            raise ProviderError("TextEmbedding function accepts no params")
        if not name:
            raise ProviderError("the text embedding service provider parameter:[provider] was not found")
        if name != "dashscope":
            raise ProviderError(
                f"unsupported text embedding service provider: [{name}] , list of supported [dashscope]"
            )
        section = self.config.provider(name)
        if section.get("enable", "").lower() == "false":
            raise ProviderError(f"text embedding model provider [{name}] is disabled")
        return Provider(
            providers=self,
            target=target,
            requested=requested_dimension(target),
            key=self._key(target.parameters.get("credential", ""), section.get("credential", "")),
            url=section.get("url") or DEFAULT_URL,
        )

    def _key(self, *labels: str) -> str:
        for label in filter(None, labels):
            value = self.config.credential(label)
            if value is None:
                raise ProviderError(f"{label} is not a apikey crediential, can not find key: {label}.apikey")
            if value:
                return value
        for variable in KEY_VARIABLES:
            if value := self.config.environment(variable):
                return value
        raise ProviderError(
            f"Missing credentials config or configure the {KEY_VARIABLES[0]} environment variable in the Milvus "
            "service."
        )


def requested_dimension(target: Target) -> int:
    """The function's `dim`, 0 if unset. Raises ProviderError if it is no number or not the field's."""
    text = target.parameters.get("dim", "")
    if not text:
        return 0
    try:
        dimension = int(text)
    except ValueError:
        raise ProviderError(f"dimension [{text}] provided in Function params is not a valid int") from None
    if dimension not in (0, target.dimension):
        raise ProviderError(
            f"Function output field:[{target.output_field}]'s dimension [{target.dimension}] does not match the "
            f"dimension [{dimension}] provided in Function params."
        )
    return dimension


@dataclass(frozen=True, slots=True)
class Provider:
    """One request's way to the service."""

    providers: Providers = field(repr=False)
    target: Target
    requested: int
    url: str
    key: str = field(repr=False)

    @property
    def batch(self) -> int:
        """Texts per HTTP call: 25, but 6 for exactly text-embedding-v3."""
        return _BATCH_OF_V3 if self._model == "text-embedding-v3" else _BATCH

    @property
    def max_rows(self) -> int:
        """Rows of an insert and queries of a search at most."""
        return self.batch * self.providers.config.batch_factor()

    def embed(self, texts: Sequence[str], *, text_type: str) -> list[list[float]]:
        """One vector per text, in order; `text_type` is `document` or `query`. Raises ProviderError."""
        vectors: list[list[float]] = []
        for start in range(0, len(texts), self.batch):
            vectors.extend(self._call(texts[start : start + self.batch], text_type))
        return vectors

    @property
    def _model(self) -> str:
        return self.target.parameters.get("model_name", "")

    def _call(self, texts: Sequence[str], text_type: str) -> list[list[float]]:
        parameters: dict[str, object] = {"text_type": text_type, "output_type": "dense"}
        if self.requested:
            parameters["dimension"] = self.requested
        body = {"model": self._model, "input": {"texts": list(texts)}, "parameters": parameters}
        vectors = _vectors(self._post(body))
        if len(vectors) != len(texts):
            raise ProviderError(
                "Get embedding failed. The number of texts and embeddings does not match "
                f"text:[{len(texts)}], embedding:[{len(vectors)}]"
            )
        for vector in vectors:
            if len(vector) != self.target.dimension:
                raise ProviderError(
                    f"The required embedding dim is [{self.target.dimension}], but the embedding obtained from the "
                    f"model is [{len(vector)}]"
                )
        return vectors

    def _post(self, body: Mapping[str, object]) -> httpx.Response:
        """Three attempts on any failure at all, 4xx included, with 1 s and 2 s between them."""
        for gate in self.providers.gates():
            gate.pass_through()
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.providers.sleep(self.providers.retry_backoff_seconds * 2 ** (attempt - 1))
            try:
                response = self.providers.http.post(
                    self.url, json=body, headers={"Authorization": f"Bearer {self.key}"}
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                problem = f"Call service failed, errs:[{error}]"
                continue
            except RuntimeError as error:  # the client was closed while the call waited: the server is going down
                raise ProviderError(f"Call service failed, errs:[{error}]") from None
            if response.status_code == httpx.codes.OK:
                return response
            status = f"{response.status_code} {response.reason_phrase}"
            problem = f"Call service failed, errs:[{status}, {response.text}]"
        raise ProviderError(problem)


def _vectors(response: httpx.Response) -> list[list[float]]:
    """The embeddings in the order of `text_index`; none at all from a body of another shape."""
    try:
        entries = response.json()["output"]["embeddings"]
        return [entry["embedding"] for entry in sorted(entries, key=lambda entry: int(entry["text_index"]))]
    except (ValueError, KeyError, TypeError):
        return []
