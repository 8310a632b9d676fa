"""How things stand in a cluster, as somebody sees it who lists the four kinds with permissions of their own."""
