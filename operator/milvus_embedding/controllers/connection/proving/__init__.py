"""Proof through Milvus that a key embeds (`verify: Canary`)."""
