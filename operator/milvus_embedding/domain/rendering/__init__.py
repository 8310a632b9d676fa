"""Rendering: from credentials and their keys to the two sections of milvus.yaml, with a memory."""
