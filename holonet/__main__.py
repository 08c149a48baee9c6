"""`python -m holonet` is the command, and so is `holonet`."""

import sys

from holonet._optional import require
from holonet.errors import MissingDependencyError

__all__ = ["main"]


def main() -> None:
    """Run the command; an interrupt while it is being imported is one too."""
    try:
        for package in ("typer", "rich", "pydantic"):
            require(package, package, "cli", "The holonet command")
        from holonet.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except MissingDependencyError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(5)
    run()


if __name__ == "__main__":
    main()
