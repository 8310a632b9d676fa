"""A DashScope stand-in over HTTP, for developers and tests: the native text-embedding endpoint and nothing else."""

from milvus_embedding.devkit.dashscope.gate import Gate
from milvus_embedding.devkit.dashscope.server import Call, DashScopeStandIn
from milvus_embedding.devkit.dashscope.service import Outcome, RateLimit
from milvus_embedding.devkit.dashscope.vectors import embed_text

__all__ = ["Call", "DashScopeStandIn", "Gate", "Outcome", "RateLimit", "embed_text"]
