"""Ask functions, layers and networks whether they look holomorphic.

Run: python examples/check_holomorphy.py
"""

import complextorch
import torch

from holonet import nn
from holonet.diagnostics import holomorphy_check


def main() -> None:
    """Print both witnesses for a few suspects; 0 is what a holomorphic function gives."""
    torch.manual_seed(0)
    z = torch.randn(16, 8, dtype=torch.complex128)
    suspects = {
        "holonet network, sin": nn.Sequential(nn.Linear(8, 8), nn.Sin(), nn.Linear(8, 3)),
        "complextorch Linear": complextorch.nn.Linear(8, 3),
        "complextorch CReLU": complextorch.nn.CReLU(inplace=False),
        "complextorch zReLU": complextorch.nn.zReLU(),
        "z + 1e-6 conj z": lambda z: z + 1e-6 * z.conj(),
    }
    print(f"{'suspect':<22} {'d/dconj z':>10} {'negative modes':>15}  verdict")
    for name, suspect in suspects.items():
        check = holomorphy_check(suspect, z)
        verdict = "no violation found" if check.passed else "not holomorphic"
        print(f"{name:<22} {check.dbar:>10.1e} {check.negative_modes:>15.1e}  {verdict}")


if __name__ == "__main__":
    main()
