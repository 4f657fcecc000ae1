"""The `sbgen` command."""
