"""Milvus: the port that controllers use and the adapter behind it."""
