"""Shells: what stands between a core and the buses of somebody else's design."""
