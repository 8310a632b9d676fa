"""An embedded Milvus for developers and tests: Milvus Lite 3.2.2 with Milvus' rules and DashScope functions on top.

It follows what is known of Milvus 2.6 and is not Milvus 2.6: what passes here was not thereby tried on a real one.
"""

import warnings

with warnings.catch_warnings():
    # Milvus Lite and the libraries below it warn at import; that is no news to a developer.
    warnings.simplefilter("ignore")
    from milvus_embedding.devkit.milvus.config import MilvusYaml
    from milvus_embedding.devkit.milvus.faults import CHANGING, Faults
    from milvus_embedding.devkit.milvus.server import EmbeddedMilvus, PortTakenError, TlsFiles

__all__ = ["CHANGING", "EmbeddedMilvus", "Faults", "MilvusYaml", "PortTakenError", "TlsFiles"]
