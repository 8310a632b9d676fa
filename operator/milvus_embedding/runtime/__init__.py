"""The process: kopf as shell, cache, queue, lease, supervisor, health. Knows of no product rule."""
