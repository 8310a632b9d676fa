"""What Milvus refuses of a collection, told before Milvus is asked: every problem at once, each with its fix.

Only what every Milvus refuses is a problem here. A newer or otherwise configured server may take more than this version
knows of, so unknown types of indexes, parameters and properties pass with a warning at most, and the server decides.
What the API server refuses already (crds/) is not looked at again.
"""
