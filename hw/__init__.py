"""Amaranth components, one idea a file: streams in, streams out."""
