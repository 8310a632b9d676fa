"""Tools for development and tests: a control plane, an embedded Milvus, a DashScope stand-in. Never in the image."""
