"""The product without a cluster: manifests in files take the API server's place, everything else is the same."""
