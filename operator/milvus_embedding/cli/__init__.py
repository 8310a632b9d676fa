"""The `milvus-embedding` command."""
