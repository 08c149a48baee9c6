"""The compiled operations must agree with torch before they are timed."""

import subprocess
import sys
from pathlib import Path

import torch

from holonet.bench.baselines import ACTIVATIONS
from holonet.errors import NumericalError
from holonet.functions import CATALOGUE
from holonet.ops import pointwise, use

__all__ = ["agree", "require_green"]

TESTS = Path(__file__).parents[3] / "tests" / "ops"


def require_green(tests: Path = TESTS) -> str:
    """Compare the operations with torch, and run their tests where this is a checkout.

    Returns:
        What was checked, in words.

    Raises:
        NumericalError: they disagree, or a test fails; the message has the end of its output.
    """
    agree()
    if not tests.is_dir():
        return "values and gradients agree with torch (no checkout, so no tests were run)"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tests.parents[1],
    )
    if done.returncode != 0:
        raise NumericalError(
            f"the tests of the fused operations fail, so there is nothing to time: run pytest "
            f"{tests}\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    return done.stdout.strip().splitlines()[-1]


def agree() -> None:
    """Compare values and gradients of the compiled functions with torch.

    Raises:
        NumericalError: they differ by more than rounding.
    """
    generator = torch.Generator().manual_seed(0)
    z = 0.5 * torch.randn(3000, generator=generator, dtype=torch.complex64) + 0.2
    for name in ACTIVATIONS:
        record = CATALOGUE[name]
        far = z[record.clearance(z) > 0.05]
        results = []
        for backend in ("compiled", "reference"):
            leaf = far.clone().requires_grad_()
            with use(backend):
                value = pointwise(record, leaf)
                results.append((value, torch.autograd.grad(value.abs().square().sum(), leaf)[0]))
        for compiled, expected in zip(*results, strict=True):
            if not torch.allclose(compiled, expected, rtol=1e-4, atol=1e-5):
                error = (compiled - expected).abs().max()
                raise NumericalError(
                    f"compiled {name} differs from torch by {error:.2g}, "
                    "so there is nothing to time: run pytest tests/ops"
                )
