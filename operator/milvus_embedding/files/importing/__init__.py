"""Manifests from a Milvus that exists: looking, and writing what was found. What it means is in domain/importing."""
