"""The demonstration: the quickstart from empty to a text search, every claim of it checked.

Only shows and checks. What it starts is ended with it; the user's own cluster, kubeconfig and Milvus are not touched.
"""

import os

# gRPC reads it when it is imported: its remarks on connections that the demo ends itself are no news.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
