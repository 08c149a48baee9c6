"""The one list of activations that layers, certificates, proofs, tests and docs iterate over."""

from collections.abc import Mapping
from types import MappingProxyType

from holonet._arguments import checked
from holonet.errors import UnknownNameError
from holonet.functions.elementary import ELEMENTARY
from holonet.functions.error_function import ERROR_FUNCTIONS
from holonet.functions.logistic import LOGISTIC
from holonet.functions.not_holomorphic import NOT_IN_THE_CATALOGUE
from holonet.functions.polynomial import POLYNOMIALS
from holonet.functions.rational import RATIONALS
from holonet.functions.record import HolomorphicFunction

__all__ = ["CATALOGUE", "get_function"]

CATALOGUE: Mapping[str, HolomorphicFunction] = MappingProxyType(
    {
        record.name: record
        for record in (*POLYNOMIALS, *ELEMENTARY, *LOGISTIC, *ERROR_FUNCTIONS, *RATIONALS)
    }
)
"""Name -> record, read-only. `polynomial`, `moebius` and `blaschke` stand for their families."""


@checked
def get_function(name: str) -> HolomorphicFunction:
    """The record of that name.

    Raises:
        UnknownNameError: there is none; the message lists near misses, and says of known functions
            that are not holomorphic what stands in for them.

    Example:
        >>> get_function("tanh").formula
        'tanh(z)'
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        note = NOT_IN_THE_CATALOGUE.get(name.lower(), "") if isinstance(name, str) else ""
        raise UnknownNameError("activation", name, CATALOGUE, note) from None
