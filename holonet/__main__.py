"""`python -m holonet` is the command, and so is `holonet`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; an interrupt while it is being imported is one too."""
    try:
        from holonet.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
