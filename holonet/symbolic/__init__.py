"""Computer algebra: records and networks as formulas, formulas as records, and proofs."""

from holonet.errors import MissingDependencyError

try:
    import sympy as _sympy  # noqa: F401
except ImportError as missing:
    raise MissingDependencyError("sympy", "symbolic", "Computer algebra") from missing

from holonet.symbolic.formula import parse_formula
from holonet.symbolic.from_sympy import from_sympy
from holonet.symbolic.prove import prove
from holonet.symbolic.to_sympy import to_sympy
from holonet.symbolic.verdict import Proved, Refuted, Unknown, Verdict

__all__ = [
    "Proved",
    "Refuted",
    "Unknown",
    "Verdict",
    "from_sympy",
    "parse_formula",
    "prove",
    "to_sympy",
]
