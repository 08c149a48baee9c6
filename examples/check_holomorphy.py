"""Ask functions, layers and networks whether they look holomorphic.

Run: python examples/check_holomorphy.py
"""

import complextorch
import torch

from holonet import nn
from holonet.diagnostics import holomorphy_check


def main() -> None:
    """Print all three witnesses for a few functions; a holomorphic function gives 0."""
    torch.manual_seed(0)
    z = torch.randn(16, 8, dtype=torch.complex128)
    functions = {
        "holonet network, sin": nn.Sequential(nn.Linear(8, 8), nn.Sin(), nn.Linear(8, 3)),
        "complextorch Linear": complextorch.nn.Linear(8, 3),
        "complextorch CReLU": complextorch.nn.CReLU(inplace=False),
        "complextorch zReLU": complextorch.nn.zReLU(),
        "z + 1e-6 conj z": lambda z: z + 1e-6 * z.conj(),
    }
    print(f"{'function':<22} {'d/dconj z':>10} {'negative modes':>15} {'derivative':>11}  verdict")
    for name, function in functions.items():
        check = holomorphy_check(function, z)
        verdict = "no violation found" if check.passed else "not holomorphic"
        numbers = f"{check.dbar:>10.1e} {check.negative_modes:>15.1e} {check.derivative:>11.1e}"
        print(f"{name:<22} {numbers}  {verdict}")


if __name__ == "__main__":
    main()
