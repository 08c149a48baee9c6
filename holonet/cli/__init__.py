"""The `holonet` command."""
