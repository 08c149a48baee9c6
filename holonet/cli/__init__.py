"""The `holonet` command."""

from holonet.cli.main import app

__all__ = ["app"]
