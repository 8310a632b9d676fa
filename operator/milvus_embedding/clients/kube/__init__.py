"""Kubernetes: objects, Secrets, statuses, Events and Leases over the asynchronous client."""
