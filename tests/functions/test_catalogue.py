"""The list itself, and every record's numerical accuracy against 40 digits of mpmath."""

import math
from pathlib import Path
from types import MappingProxyType

import mpmath
import pytest
import torch

from cases import each
from holonet.errors import ConfigError, UnknownNameError
from holonet.functions import CATALOGUE, FunctionClass, SingularityKind, get_function
from offering_package import offer

PI = math.pi

# written here on purpose: the catalogue must not be its own reference
REFERENCES = {
    "identity": lambda z: z,
    "square": lambda z: z**2,
    "cube": lambda z: z**3,
    "polynomial": lambda z: z + z**2 / 4,
    "exp": mpmath.exp,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "atan": mpmath.atan,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "softplus": lambda z: (
        mpmath.log1p(mpmath.exp(z)) if z.real < 0 else mpmath.log(1 + mpmath.exp(z))
    ),
    "gelu": lambda z: z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    "erf": mpmath.erf,
    "reciprocal": lambda z: 1 / z,
    "moebius": lambda z: z / (1 + z / 4),
    "blaschke": lambda z: (z - mpmath.mpf(0.5)) / (1 - z / 2),
}

# where to look besides the neighborhood of 0: singular points, zeros, switches of the algorithm
CENTERS = {
    "polynomial": [-2, -4],
    "sin": [PI, 1e3],
    "cos": [PI / 2, 1e3],
    "tan": [PI / 2, 1e3, 30j],
    "sinh": [1j * PI, 1e3j],
    "cosh": [1j * PI / 2, 1e3j],
    "tanh": [1j * PI / 2, 1e3j, -30],
    "asinh": [1j, -1j],
    "atan": [1j, -1j],
    "log": [0, 1],
    "sqrt": [0],
    "sigmoid": [1j * PI, 1e3j, 60, -60],
    "silu": [-1j * PI, 1e3j, 60, -60],
    "softplus": [1j * PI, 1e3j, 60, -60],
    "erf": [1.45 + 1.88j, 1j, 5],
    "gelu": [-2 + 2.7j, -6, 6],
    "reciprocal": [0],
    "moebius": [-4, 0],
    "blaschke": [2, 0.5],
}
EXACT_POWERS = ("square", "cube", "polynomial", "asinh", "atan", "log", "sqrt")
LARGE = (*EXACT_POWERS, "reciprocal", "moebius", "blaschke")  # tried at |z| of 1e6 as well


def trial_points(name: str, dtype: torch.dtype, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)

    def cloud(center: complex, radius: float) -> torch.Tensor:
        return center + radius * torch.randn(count, generator=generator, dtype=dtype)

    clouds = [cloud(0, radius) for radius in (1e-6, 1e-2, 0.3, 1, 3, 1e6 if name in LARGE else 5)]
    clouds += [cloud(c, r) for c in CENTERS.get(name, []) for r in (1e-3, 0.1)]
    z = torch.cat(clouds)
    return z[CATALOGUE[name].clearance(z) > 1e-4 * z.abs().clamp(max=1)]


def error_ratios(name: str, dtype: torch.dtype, count: int = 5) -> list[float]:
    """Worst error of value and two derivatives, in units of eps times scale.

    The scale of f at z is the larger of |f| and |z f'|: what rounding z alone may change.
    """
    record, reference, z = CATALOGUE[name], REFERENCES[name], trial_points(name, dtype, count)
    eps, tiny = torch.finfo(dtype).eps, torch.finfo(dtype).tiny
    computed = [f(z).tolist() for f in (record.value, record.derivative, record.second_derivative)]
    worst = [0.0, 0.0, 0.0]
    for i, point in enumerate(z.tolist()):
        # far left, functions are exponentially small: keep 40 digits of them, too
        with mpmath.workdps(40 + int(min(abs(point.real), 200))):
            series = mpmath.taylor(reference, mpmath.mpc(point), 3)
            jet = [c * math.factorial(k) for k, c in enumerate(series)]
            for k in range(3):
                if abs(jet[k]) > torch.finfo(dtype).max / 4:
                    continue  # the value itself is about to overflow
                scale = max(abs(jet[k]), abs(point * jet[k + 1])) + tiny
                error = abs(mpmath.mpc(computed[k][i]) - jet[k]) / scale / eps
                worst[k] = max(worst[k], math.inf if mpmath.isnan(error) else float(error))
    return worst


@pytest.mark.parametrize("count", [1, pytest.param(5, marks=pytest.mark.slow)])
@each("name", CATALOGUE)
@each(("dtype", "bound"), [(torch.complex64, 16), (torch.complex128, 8)])
def test_records_are_accurate(name, dtype, bound, count):
    assert max(error_ratios(name, dtype, count)) <= bound


def test_the_catalogue_is_complete():
    assert set(CATALOGUE) == set(REFERENCES)
    assert all(name == record.name for name, record in CATALOGUE.items())
    assert all(record.reference for record in CATALOGUE.values())


def test_the_catalogue_is_read_only():
    assert isinstance(CATALOGUE, MappingProxyType)
    with pytest.raises(TypeError):
        CATALOGUE["relu"] = CATALOGUE["exp"]  # pyright: ignore[reportIndexIssue]


def test_a_function_is_found_by_name():
    assert get_function("gelu") is CATALOGUE["gelu"]


def test_a_near_miss_is_named():
    with pytest.raises(UnknownNameError, match=r"unknown activation 'tahn'.*'tanh'"):
        get_function("tahn")


def test_entire_functions_have_no_obstacles_and_others_have_some():
    for record in CATALOGUE.values():
        assert record.function_class.is_entire is (record.obstacles == ())


def test_only_merely_holomorphic_functions_have_cuts():
    for record in CATALOGUE.values():
        merely = record.function_class is FunctionClass.HOLOMORPHIC
        assert merely is bool(record.branch_cuts)
        kinds = {s.kind for s in record.singularities}
        assert kinds <= {SingularityKind.BRANCH_POINT if merely else SingularityKind.POLE}


def test_base_points_are_well_behaved():
    for record in CATALOGUE.values():
        z = torch.tensor([record.base_point], dtype=torch.complex128)
        assert record.clearance(z).item() >= 0.5
        assert record(z).isfinite().all()
        assert record.derivative(z).isfinite().all()


def test_a_package_offers_records_under_names_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "holonet.functions.polynomial:POLYNOMIALS"
    offers = {"tanh": place, "rows": place, "quartic": "offered_record:QUARTIC"}
    cube = "from holonet.functions import CATALOGUE\nQUARTIC = CATALOGUE['cube']\n"
    offer(tmp_path, monkeypatch, {"holonet.activations": offers}, offered_record=cube)
    assert get_function("quartic") is CATALOGUE["cube"]
    assert get_function("tanh") is CATALOGUE["tanh"]  # holonet's own
    with pytest.raises(ConfigError, match=r"activation 'rows' .* is a tuple: it must be a holonet"):
        get_function("rows")
    with pytest.raises(UnknownNameError, match="did you mean 'quartic'"):
        get_function("quartik")
