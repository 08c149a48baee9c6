"""`python -m holonet` is the command."""

from holonet.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
