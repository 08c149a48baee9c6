"""How regular a function is, and what becomes of that under composition, sum and product."""

from enum import Enum

from holonet._arguments import checked

__all__ = ["FunctionClass", "compose", "multiply"]


class FunctionClass(Enum):
    """The declared regularity of a function: an upper bound that every check may rely on.

    AFFINE to HOLOMORPHIC are the holomorphic classes, from the most to the least special:
    AFFINE < POLYNOMIAL < RATIONAL, ENTIRE < MEROMORPHIC < HOLOMORPHIC (holomorphic on a domain,
    with no promise about what happens off it). HARMONIC means pluriharmonic in several variables,
    SUBHARMONIC plurisubharmonic. SMOOTH and PIECEWISE promise nothing that complex analysis
    can use.
    """

    AFFINE = "affine"
    POLYNOMIAL = "polynomial"
    RATIONAL = "rational"
    ENTIRE = "entire"
    MEROMORPHIC = "meromorphic"
    HOLOMORPHIC = "holomorphic"
    HARMONIC = "harmonic"
    SUBHARMONIC = "subharmonic"
    SMOOTH = "smooth"
    PIECEWISE = "piecewise"

    @property
    def is_holomorphic(self) -> bool:
        """Whether the class is complex-analytic off its declared singularities."""
        return self in _RANK

    @property
    def is_entire(self) -> bool:
        """Whether the class is holomorphic on the whole plane."""
        return self in (FunctionClass.AFFINE, FunctionClass.POLYNOMIAL, FunctionClass.ENTIRE)

    def __or__(self, other: "FunctionClass") -> "FunctionClass":
        """The class of a sum f + g: the least class that holds both terms.

        Law: commutative, associative and idempotent (a join).
        """
        return _join(self, other)


_F = FunctionClass
_RANK = {
    _F.AFFINE: 0,
    _F.POLYNOMIAL: 1,
    _F.RATIONAL: 2,
    _F.ENTIRE: 2,
    _F.MEROMORPHIC: 3,
    _F.HOLOMORPHIC: 4,
}


def _join(f: FunctionClass, g: FunctionClass) -> FunctionClass:
    if f is g:
        return f
    if f.is_holomorphic and g.is_holomorphic:
        if _RANK[f] == _RANK[g]:  # rational and entire, the one incomparable pair
            return _F.MEROMORPHIC
        return max(f, g, key=_RANK.__getitem__)
    # a holomorphic function is harmonic (both its parts are), a harmonic one subharmonic
    if _F.PIECEWISE in (f, g):
        return _F.PIECEWISE
    if _F.SMOOTH in (f, g):
        return _F.SMOOTH
    return _F.SUBHARMONIC if _F.SUBHARMONIC in (f, g) else _F.HARMONIC


@checked
def compose(outer: FunctionClass, inner: FunctionClass) -> FunctionClass:
    """The class of outer(inner(z)), for inner not constant.

    Law: associative, and monotone in both arguments for the order of the join. The result is
        never more special than the truth: `tests/laws/test_classes.py` composes catalogue
        functions and looks for a counterexample.

    Example:
        >>> compose(FunctionClass.ENTIRE, FunctionClass.MEROMORPHIC)  # exp(1/z) at 0
        <FunctionClass.HOLOMORPHIC: 'holomorphic'>
        >>> compose(FunctionClass.HARMONIC, FunctionClass.ENTIRE)  # Re exp(z)
        <FunctionClass.HARMONIC: 'harmonic'>
    """
    if _F.PIECEWISE in (outer, inner):
        return _F.PIECEWISE
    if not inner.is_holomorphic:
        # a real affine map keeps harmonic, but may turn subharmonic upside down
        keeps = outer is _F.AFFINE and inner is _F.HARMONIC
        return _F.HARMONIC if keeps else _F.SMOOTH
    if not outer.is_holomorphic or inner is _F.AFFINE:
        return outer  # harmonic and subharmonic functions survive holomorphic changes of variable
    if outer in (_F.AFFINE, _F.POLYNOMIAL):
        return inner if outer is _F.AFFINE else _join(_F.POLYNOMIAL, inner)
    if outer is _F.HOLOMORPHIC or inner is _F.HOLOMORPHIC:
        return _F.HOLOMORPHIC
    if outer is _F.RATIONAL:
        return _F.RATIONAL if inner in (_F.POLYNOMIAL, _F.RATIONAL) else _F.MEROMORPHIC
    if inner.is_entire:
        return outer
    return _F.HOLOMORPHIC  # entire or meromorphic of something with poles: essential singularities


@checked
def multiply(f: FunctionClass, g: FunctionClass) -> FunctionClass:
    """The class of the product f(z) g(z).

    Example:
        >>> multiply(FunctionClass.AFFINE, FunctionClass.AFFINE)
        <FunctionClass.POLYNOMIAL: 'polynomial'>
    """
    if f.is_holomorphic and g.is_holomorphic:
        return _F.POLYNOMIAL | (f | g)
    return _F.PIECEWISE if _F.PIECEWISE in (f, g) else _F.SMOOTH
