"""Pure rules: what a document, an act, a condition must be. No kopf, Kubernetes, pymilvus or clock in here."""
