"""The planner: what differs between a declared collection and Milvus, what may be done about it, and by which calls."""
