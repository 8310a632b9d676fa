"""MilvusConnection: the address, and the rendered Secret."""
