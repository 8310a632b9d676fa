"""Declarative, embedding-enabled Milvus collections on Kubernetes."""

__version__ = "0.1.0"
