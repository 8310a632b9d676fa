"""Adapters to the outside: each has a port (Protocol and plain data) and an adapter, the only place for its library."""
