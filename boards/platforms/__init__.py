"""Platforms of boards that amaranth-boards does not have, in its form."""
