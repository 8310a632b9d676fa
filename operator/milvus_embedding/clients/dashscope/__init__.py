"""DashScope: the probe of an API key."""
