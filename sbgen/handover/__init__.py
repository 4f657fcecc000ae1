"""A core as a folder that stands on its own, for somebody else's design: `sbgen build --core NAME`."""
