"""Frozen types of the API `embedding.milvus.io/v1alpha1`, one module per kind. crds/ is the source of truth."""
