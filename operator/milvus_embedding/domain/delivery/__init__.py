"""How the rendered Secret gets into Milvus: what the workloads mount, what their pods run, and when they are rolled."""
