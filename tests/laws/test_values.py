"""One value for one input: on every backend, at every batch size, on both sides of every cut.

At zeros of both signs, at subnormal, huge and infinite numbers, and at ordinary ones; against
mpmath too. `python tests/laws/test_values.py` prints every worst error.
"""

import functools
import itertools
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
import torch
from torch import Tensor

from cases import each, some_of
from holonet.functions import CATALOGUE, blaschke, disc_bounds, moebius, polynomial
from holonet.ops import pointwise, triton_code, use
from holonet.ops.evaluate import evaluate
from holonet.ops.native import compile_programs
from holonet.ops.pointwise.programs import program
from holonet.symbolic import from_sympy
from holonet.symbolic.known_functions import FUNCTIONS

C64, C128 = torch.complex64, torch.complex128
SIZES = (1, 63, 64, 255, 256, 1000)
EPS = 16  # times eps and the scale of a value
WRITTEN = 128  # the same for formulas, whose powers and products multiply errors

FORMULAS = (
    "sqrt(1 - z**2)",
    "log(-2*z)/(z - 3)",
    "sqrt(z - 1)*sqrt(z + 1)*exp(-z)",
    "atanh(z/2)**3 + I*asin(-3*z)",
    "log(2*z + 3) - z**(1/3)/2",
)
FAMILIES = {
    "complex polynomial": polynomial([1j, 2, -0.5, 1 - 1j]),
    "Cayley": moebius(1, -1j, 1, 1j),
    "two zeros": blaschke([0.5, -0.3j]),
}
RECORDS = {
    **CATALOGUE,
    **{head.record.name: head.record for head in FUNCTIONS.values()},
    **FAMILIES,
    **{text: from_sympy(text, name=text) for text in FORMULAS},
}
every = each("dtype", [C64, C128], ids=["complex64", "complex128"])


def special(dtype: torch.dtype, infinite: bool = True) -> Tensor:
    """All pairs of special parts, with both signs."""
    limits = torch.finfo(dtype.to_real())
    huge = (1e20, limits.max / 8) if dtype is C64 else (1e160, limits.max / 8)
    units = (1.0, 1 + limits.eps, 1 - limits.eps / 2)
    parts = [0.0, limits.tiny / 1024, limits.tiny, 1e-8, 0.5, *units, 2.0, math.pi, *huge]
    parts += [math.inf] * infinite
    signed = torch.tensor([s * p for p in parts for s in (1, -1)], dtype=dtype.to_real())
    return torch.complex(*torch.cartesian_prod(signed, signed).T.contiguous())


def scales(record, z: Tensor) -> tuple[Tensor, Tensor]:
    """Of a value and of a derivative: what an error of 1 eps in z moves them by, at least."""
    sizes = [getattr(record, p)(z).abs() for p in ("value", "derivative", "second_derivative")]
    f, df, d2f = (s.nan_to_num(0, 0, 0) for s in sizes)
    moved = (z.abs() * df).nan_to_num(0), (z.abs() * d2f).nan_to_num(0)
    return torch.maximum(f, moved[0]), torch.maximum(df, moved[1])


def errors(ours: Tensor, theirs: Tensor, scale: Tensor) -> Tensor:
    """In eps times the scale; infinite where one is finite and the other is not."""
    limits = torch.finfo(ours.dtype.to_real())
    both = ours.isfinite() & theirs.isfinite()
    gap = torch.where(both, ours - theirs, 0).abs()
    found = gap / (limits.eps * scale.nan_to_num(0, limits.max, 0) + limits.tiny)
    overflows = scale > limits.max / 64  # there the last bit decides whether a value is finite
    return torch.where((ours.isfinite() == theirs.isfinite()) | overflows, found, math.inf)


def compared(z: Tensor, values_too: bool) -> Tensor:
    """Where values are promised: not at two infinite parts; derivatives at finite numbers."""
    one = z.real.isinf() ^ z.imag.isinf()
    return z.isfinite() | one if values_too else z.isfinite()


def assert_same(record, z: Tensor, ours: Tensor, theirs: Tensor, scale: Tensor, what: str) -> None:
    found = errors(ours, theirs, scale)
    found = torch.where(compared(z, what.startswith("value")), found, 0)
    k = int(found.argmax())
    limit = WRITTEN if record.name in FORMULAS else EPS
    assert found[k] <= limit, f"{record.name}, {what} at {z[k]}: {ours[k]} and {theirs[k]}"


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    """All of them, in place of "reference"."""


@functools.cache
def compiled(dtype: torch.dtype, operation: str = "value"):
    """An operation of all records, in one library."""
    programs = {
        f"{operation}_{k}": program(operation, RECORDS[name], double=dtype is C128)
        for k, name in enumerate(RECORDS)
    }
    return dict(zip(RECORDS, compile_programs(programs, "special values").values(), strict=True))


def check_catalogue(dtype: torch.dtype, every: slice = slice(None)) -> None:
    z = special(dtype)
    for record in [*CATALOGUE.values()][every]:
        of_value, of_slope = scales(record, z)
        w = z.clone().requires_grad_()
        with use("compiled"):
            value = pointwise(record, w)
            (slope,) = torch.autograd.grad(value, w, torch.ones_like(w))
        assert_same(record, z, value.detach(), record.value(z), of_value, "value")
        assert_same(record, z, slope.conj(), record.derivative(z), of_slope, "slope")


def check_library(dtype: torch.dtype, operation: str = "value") -> None:
    z = special(dtype)
    for name, kernel in compiled(dtype, operation).items():
        record, scale = RECORDS[name], scales(RECORDS[name], z)
        if operation == "value":
            assert_same(record, z, kernel(z)[0], record.value(z), scale[0], "value")
        else:
            slope = kernel(z, torch.ones_like(z))[0].conj()
            assert_same(record, z, slope, record.derivative(z), scale[1], "slope")


@pytest.mark.parametrize(
    "share", [slice(4, None, 12), pytest.param(slice(None), marks=pytest.mark.slow)]
)
def test_compiled_records_and_torch_code_give_the_same(share):
    check_catalogue(C128, share)  # each record is compiled, which takes seconds


def test_compiled_formulas_and_torch_code_give_the_same():
    check_library(C64)  # the rest by the command: each library takes as long as this test


def beyond_certificates(name: str, units: float = 16.0) -> int:
    """How many complex64 values have an error that certificates of execution do not assume."""
    record, count, limits = RECORDS[name], 3000, torch.finfo(torch.float32)
    z = torch.polar(10 ** (8 * torch.rand(count) - 6), 2 * math.pi * torch.rand(count))
    z[::3] = torch.complex(3 * torch.randn(count), torch.randn(count))[::3]
    underflow = torch.complex(40 * torch.rand(count) - 110, 20 * torch.randn(count))
    z[1::3] = (underflow * (1 - 2 * torch.randint(2, (count,))))[1::3]
    wide = z.to(C128)
    value, slope, _ = disc_bounds(record, wide, torch.zeros(count, dtype=torch.float64))
    scale = value + wide.abs() * slope
    lost = 4 * limits.tiny * (1 + wide.abs() + slope)
    beyond = 0
    for ours in (record.value(z), compiled(C64)[name](z)[0]):
        gap = torch.view_as_real(ours.to(C128) - record.value(wide)).abs().amax(1)
        known = (scale < 1e30) & wide.isfinite()  # nothing is claimed of what may overflow
        assert known.sum() > count / 3
        beyond += int((gap > units * limits.eps / 2 * scale + lost)[known].sum())
    return beyond


def test_complex_values_are_within_the_16_roundoffs_that_certificates_assume():
    names = [name for name in CATALOGUE if name != "blaschke"]
    assert {name: beyond_certificates(name) for name in names} == dict.fromkeys(names, 0)
    assert beyond_certificates("tanh", units=2.0) > 0


@every
@each("name", RECORDS)
def test_the_expressions_that_are_compiled_give_the_same(name, dtype):
    record, z = RECORDS[name], special(dtype)
    for operation, scale in zip(("value", "push"), scales(record, z), strict=True):
        made = program(operation, record, double=dtype is C128)
        (found,) = evaluate(made.outputs, {"z": z, "t": torch.ones_like(z)})
        what, part = ("value", "value") if operation == "value" else ("slope", "derivative")
        assert_same(record, z, found, getattr(record, part)(z), scale, what)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "share", [slice(0, None, 4), pytest.param(slice(None), marks=pytest.mark.slow)]
)
def test_triton_and_torch_code_give_the_same(share):
    pytest.importorskip("triton", reason="triton exists for Linux only")
    z = special(C64)
    records = [*RECORDS.values()][share]
    programs = {
        f"value_{k}": program("value", record, double=False) for k, record in enumerate(records)
    }
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kernels = triton_code.compile_programs(programs)
    for k, record in enumerate(records):
        (value,) = kernels[f"value_{k}"](z.to(device))
        assert_same(record, z, value.cpu(), record.value(z), scales(record, z)[0], "value")


@some_of(
    "name, dtype",
    [("asinh", C128), ("sqrt(1 - z**2)", C64), ("log", C64), ("exp", C128)],
    slice(2),
)
def test_every_batch_size_gives_the_same(name, dtype):
    record, z = RECORDS[name], special(dtype)
    expected, (scale, _) = record.value(z), scales(record, z)
    for size in SIZES:
        for part in z.split(size)[:: len(z) // size // 30 + 1]:
            full = part.repeat(size)[:size]
            values, own = pointwise(record, full), record.value(full)
            assert_same(record, full, values, own, scales(record, full)[0], "value")
    assert_same(record, z, pointwise(record, z), expected, scale, "value of all")


NUMPY = {
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "log": np.log,
    "sqrt": np.sqrt,
}


@every
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@each("name", NUMPY)
def test_the_sign_of_a_zero_chooses_the_side_as_in_numpy(name, dtype):
    record, z = RECORDS[name], special(dtype)
    expected = torch.from_numpy(NUMPY[name](z.numpy()))
    assert_same(record, z, record.value(z), expected, scales(record, z)[0], "value")


@some_of(
    ("text", "at", "value"),
    [
        ("sqrt(1 - z**2)", 2, 1.7320508j),
        ("log(2*z - 5)", -1, 1.9459101 + 3.1415927j),
        ("log(-z)", 2, 0.69314718 + 3.1415927j),
        ("asin(z)", 2, 1.5707963 + 1.3169579j),
        ("atanh(z)", 2, 0.54930614 + 1.5707963j),
    ],
    slice(2),
)
@each("size", [63, 64])
def test_formulas_on_their_cuts(text, at, value, size):
    """Computed zeros count as positive, as sympy has it; z itself brings its side along."""
    z = torch.full((size,), at + 0j)
    found = pointwise(from_sympy(text), z)
    torch.testing.assert_close(found, torch.full_like(found, value), rtol=1e-5, atol=1e-6)


def exact(record, order: int, z: complex, digits: int):
    """By mpmath, from the side of a cut that the signs of zeros say; None if it has no value."""
    symbol = sympy.Symbol("z")
    formula = sympy.lambdify(symbol, sympy.sympify(record.formula).diff(symbol, order), "mpmath")
    with mpmath.workdps(digits):
        away = mpmath.mpf(10) ** (-digits // 2)
        parts = [mpmath.mpf(p) if p else math.copysign(1, p) * away for p in (z.real, z.imag)]
        try:
            value = formula(mpmath.mpc(*parts))
        except ZeroDivisionError:
            return None
        return value if mpmath.isfinite(value) else None


def truth(record, order: int, z: Tensor) -> Tensor:
    """The same for many points, NaN where there is none; infinite where it overflows."""
    digits = 150 if z.dtype is C64 else 700
    found = [exact(record, order, p, digits) for p in z.tolist()]
    largest = torch.finfo(z.dtype.to_real()).max
    rounded = [
        complex(math.nan, math.nan)
        if v is None
        else complex(math.inf, 0)
        if max(abs(v.real), abs(v.imag)) > largest
        else complex(v)
        for v in found
    ]
    return torch.tensor(rounded, dtype=z.dtype)


def worst(record, part: str, z: Tensor) -> tuple[float, complex]:
    """The worst error against mpmath, and where."""
    order = ("value", "derivative").index(part)
    z = z[record.clearance(z) > 0] if record.singularities else z
    if "erf" in record.formula or record.name == "softplus":
        z = z[z.abs() < 100]  # mpmath takes minutes beyond, or gives up
    expected, scale = truth(record, order, z), scales(record, z)[order]
    found = errors(getattr(record, part)(z), expected, scale)
    found = torch.where(expected.real.isnan(), 0, found)
    k = int(found.argmax())
    return found[k].item(), z[k].item()


CHOSEN = [name for name in RECORDS if name not in FORMULAS and name not in FAMILIES]


@every
@pytest.mark.parametrize("share", [slice(4), pytest.param(slice(4, 24), marks=pytest.mark.slow)])
@each("name", CHOSEN)
def test_values_are_those_of_mpmath(name, dtype, share):
    z = special(dtype, infinite=False)
    z = z[torch.randperm(len(z), generator=torch.Generator().manual_seed(0))[share]]
    for part in ("value", "derivative"):
        error, at = worst(RECORDS[name], part, z)
        assert error <= EPS, f"{part} at {at}: {error:.3g} eps"


def test_exceptions_are_documented():
    text = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    for name in ("both parts infinite", "derivatives at infinite numbers", "poles and overflow"):
        assert f"| {name}" in text, name


def main() -> None:
    """Print the worst errors at all special points."""
    for dtype in (C64, C128):
        check_catalogue(dtype)
        check_library(dtype)
        check_library(dtype, "pull")
    for name, dtype, part in itertools.product(CHOSEN, (C64, C128), ("value", "derivative")):
        error, at = worst(RECORDS[name], part, special(dtype, infinite=False))
        print(f"{name:12} {str(dtype)[6:]:10} {part:10} {error:8.2f} eps at {at}")


if __name__ == "__main__":
    main()
