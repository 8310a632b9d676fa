"""From the rendered Secret to pods that run it."""
