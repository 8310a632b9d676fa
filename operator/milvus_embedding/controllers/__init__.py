"""One controller per kind: gather, decide, act, report. Talks to the outside only through Protocols."""
