"""The one list of activations that layers, certificates, proofs, tests and docs iterate over."""

from collections.abc import Mapping
from types import MappingProxyType

from holonet._arguments import checked
from holonet._named_object import installed_object, installed_objects
from holonet.errors import ConfigError, UnknownNameError
from holonet.functions.elementary import ELEMENTARY
from holonet.functions.error_function import ERROR_FUNCTIONS
from holonet.functions.logistic import LOGISTIC
from holonet.functions.not_holomorphic import NOT_IN_THE_CATALOGUE
from holonet.functions.polynomial import POLYNOMIALS
from holonet.functions.rational import RATIONALS
from holonet.functions.record import HolomorphicFunction

__all__ = ["CATALOGUE", "GROUP", "get_function"]

GROUP = "holonet.activations"
"""The entry points by which packages offer records."""

CATALOGUE: Mapping[str, HolomorphicFunction] = MappingProxyType(
    {
        record.name: record
        for record in (*POLYNOMIALS, *ELEMENTARY, *LOGISTIC, *ERROR_FUNCTIONS, *RATIONALS)
    }
)
"""Name -> record, read-only. `polynomial`, `moebius` and `blaschke` stand for their families."""


@checked
def get_function(name: str) -> HolomorphicFunction:
    """The record of that name, of the catalogue or of an installed package.

    Raises:
        UnknownNameError: there is none; the message lists near misses, and says of known functions
            that are not holomorphic what stands in for them.
        ConfigError: that of a package cannot be imported, or is no record.

    Example:
        >>> get_function("tanh").formula
        'tanh(z)'
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    offered = installed_objects(GROUP)
    if name not in offered:
        note = NOT_IN_THE_CATALOGUE.get(name.lower(), "")
        raise UnknownNameError("activation", name, [*CATALOGUE, *offered], note)
    record = installed_object(GROUP, name)
    if not isinstance(record, HolomorphicFunction):
        raise ConfigError(
            f"activation {name!r} of an installed package ({offered[name]}) is a "
            f"{type(record).__name__}: it must be a holonet.functions.HolomorphicFunction"
        )
    return record
