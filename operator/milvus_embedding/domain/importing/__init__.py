"""The way back: from what stands in Milvus to manifests that mean it. Pure; nothing is asked here."""
