"""MilvusCollection: observe, decide, act, read back."""
