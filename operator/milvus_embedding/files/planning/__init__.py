"""What `apply` would do with manifests, found out by the controllers themselves over a Milvus that nothing is sent to
but questions.
"""
