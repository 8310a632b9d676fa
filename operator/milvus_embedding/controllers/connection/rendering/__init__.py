"""From credentials to the rendered Secret: gather, compose, write."""
