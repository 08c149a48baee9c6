"""Optional packages: whether they are there, without the time of their import."""

import importlib.util
import sys

from holonet.errors import MissingDependencyError

__all__ = ["NoExtraError", "is_installed", "require"]


class NoExtraError(MissingDependencyError):
    """A package that no extra of holonet installs: the message says how to get it."""

    def __init__(self, message: str) -> None:
        ImportError.__init__(self, message)


def is_installed(package: str) -> bool:
    """Whether a package can be imported, as far as that is known without importing it.

    Example:
        >>> is_installed("no_such_package")
        False
    """
    if package in sys.modules:
        return sys.modules[package] is not None
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:  # a finder that refuses
        return False


def require(package: str, distribution: str, extra: str, purpose: str) -> None:
    """Refuse to begin what cannot do without a package.

    Args:
        package: what is imported.
        distribution: what is installed.
        extra: the extra of holonet that installs it.
        purpose: what needs it, for the message.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if not is_installed(package):
        raise MissingDependencyError(distribution, extra, purpose)
