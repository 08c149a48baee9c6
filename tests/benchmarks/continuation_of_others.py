"""Continuations of networks that others wrote, as they are.

    pip install vit-pytorch
    python tests/benchmarks/continuation_of_others.py

For each network the error on the real axis in units of eps times the largest value, the error of
Schwarz reflection, and what the three witnesses say. Weights are random, precision is double.
"""

import importlib
from collections.abc import Callable

import torch
from torch import nn

from holonet.continuation import extend
from holonet.diagnostics import holomorphy_check
from holonet.errors import HolonetError

SMALL = {"image_size": 16, "patch_size": 8, "num_classes": 4}
BODY = {"dim": 16, "depth": 2, "heads": 2, "mlp_dim": 32}
STAGES = {f"s{i}_{k}": v for i in (1, 2, 3) for k, v in {"emb_dim": 8, "heads": 1}.items()}
NETWORKS: dict[str, tuple[str, dict[str, object], int]] = {
    "vit.ViT": ("ViT", {**SMALL, **BODY}, 16),
    "simple_vit.SimpleViT": ("SimpleViT", {**SMALL, **BODY}, 16),
    "deepvit.DeepViT": ("DeepViT", {**SMALL, **BODY}, 16),
    "cait.CaiT": ("CaiT", {**SMALL, **BODY, "cls_depth": 1}, 16),
    "rvt.RvT": ("RvT", {**SMALL, **BODY}, 16),
    "normalized_vit.nViT": ("nViT", {**SMALL, **BODY, "dim_head": 8}, 16),
    "vit_for_small_dataset.ViT": ("ViT", {**SMALL, **BODY}, 16),
    "cvt.CvT": ("CvT", {"num_classes": 4, **STAGES, "s2_depth": 1, "s3_depth": 1}, 32),
    "max_vit.MaxViT": (
        "MaxViT",
        {
            "num_classes": 4,
            "dim_conv_stem": 8,
            "dim": 8,
            "dim_head": 4,
            "depth": (1, 1),
            "window_size": 2,
        },
        32,
    ),
    "mobile_vit.MobileViT": (
        "MobileViT",
        {
            "image_size": (32, 32),
            "dims": [16] * 3,
            "channels": [8] * 10 + [32],
            "num_classes": 4,
            "patch_size": (1, 1),
        },
        32,
    ),
    "levit.LeViT": (
        "LeViT",
        {
            "image_size": 32,
            "num_classes": 4,
            "dim": (16, 16),
            "depth": 1,
            "heads": 2,
            "mlp_mult": 2,
            "dim_key": 4,
            "dim_value": 4,
            "stages": 2,
        },
        32,
    ),
}


def made(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The network in eval mode, and two images."""
    kind, options, size = NETWORKS[name]
    module = importlib.import_module(f"vit_pytorch.{name.split('.', maxsplit=1)[0]}")
    make: Callable[..., nn.Module] = getattr(module, kind)
    torch.manual_seed(0)
    return make(**options).double().eval(), torch.rand(2, 3, size, size, dtype=torch.float64)


def report(model: nn.Module, x: torch.Tensor) -> str:
    """Three cells of the table."""
    f = extend(model)
    with torch.no_grad():
        value, z = model(x), torch.complex(x, 0.01 * torch.randn_like(x))
        error = (f(x.to(z.dtype)) - value).abs().max() / value.abs().max()
        reflected = (f(z.conj()) - f(z).conj()).abs().max()
    check = holomorphy_check(f, x[:1], radius=0.05)
    verdict = "passed" if check.passed else str(check)
    return f"{error / torch.finfo(x.dtype).eps:.1f} eps | {reflected:.0e} | {verdict}"


def main() -> None:
    print("| network | real axis | reflection | witnesses |\n|---|---|---|---|")
    for name in NETWORKS:
        model, x = made(name)
        try:
            row = report(model, x)
        except HolonetError as error:
            row = f"{type(error).__name__}: {str(error).split('. ')[0]} | |"
        print(f"| {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
