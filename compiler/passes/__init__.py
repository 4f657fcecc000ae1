"""Passes: each takes a network and returns an equal one."""
