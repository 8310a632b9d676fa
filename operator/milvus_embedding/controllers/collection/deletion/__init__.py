"""What deleting a MilvusCollection does in Milvus, and the finalizer that gives us the time for it."""
