"""Certificates beside bounds of auto_LiRPA: python tests/benchmarks/referee.py [--norm L2].

Perceptrons 64-64-64-10 are trained on scikit-learn's digits at l_inf 0.1 as in docs/certified.md:
x^2 and z^2 by the linearized rule with its curvature term, ReLU and tanh by intervals. For each
network and radius it prints how many of the same test images each method certifies. Then, of the
margins of correctly classified images, how many holonet bounds better (the best of intervals,
tangents and second order) than all three of auto_LiRPA, how many IBP or CROWN bounds better than
holonet, and how many alpha-CROWN does, where they differ by more than rounding.

Splits are tried on images that second order leaves open, with a budget of pieces for each margin.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from holonet.attacks import ThreatModel
from holonet.certify import METHODS, certify, methods_for
from holonet.data import Dataset
from holonet.errors import InputTypeError
from holonet.interop import LIRPA_METHODS, lirpa_margins
from holonet.training import (
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
    build_model,
    fit,
    load_data,
)
from old_lirpa import make_importable

RADII = {"Linf": (0.02, 0.05, 0.1), "L2": (0.25, 0.5, 1.0)}
ROUNDING = 1e-4  # of single precision, as a part of the larger bound or of 1
LINEARIZED = {"name": "linearized", "curvature": 0.1, "entries": 8}
NETWORKS: dict[str, tuple[dict, dict]] = {
    "x^2": ({"coefficients": "real"}, LINEARIZED),
    "ReLU": (
        {"coefficients": "real", "activation": "relu", "gain": "intervals"},
        {"name": "interval"},
    ),
    "tanh": (
        {"coefficients": "real", "activation": "tanh", "gain": "intervals"},
        {"name": "interval"},
    ),
    "complex z^2": ({}, LINEARIZED),
}
OURS = ("intervals", "tangents", "second_order")


def trained(name: str, seed: int) -> tuple[nn.Module, Dataset]:
    """The network of that name, in eval mode, and its data."""
    model_settings, rule_settings = NETWORKS[name]
    run = RunConfig(
        model=ModelConfig(**model_settings),
        rule=RuleConfig(eps=0.1, schedule="linear", **rule_settings),
        train=TrainConfig(seed=seed),
    )
    data = load_data(run.data)
    model = build_model(run, data)
    fit(model, data, run.rule.build(), run.train)
    return model.eval(), data


def margins(model: nn.Module, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, method: str):
    """A lower bound for each example and class, by a method of either side."""
    if method in LIRPA_METHODS:
        return lirpa_margins(model, x, y, threat, method).double()
    proofs = certify(model, x, y, threat, [method])
    return torch.tensor([proof.margins for proof in proofs], dtype=torch.float64)


def cell(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, nodes: int
) -> list[str]:
    """Certified images by each method, then margins where either side is ahead."""
    known = methods_for(model, x[:1], y[:1], threat)
    ours = [m for m in OURS if m == "tangents" or m in known]
    found = {m: margins(model, x, y, threat, m) for m in (*LIRPA_METHODS[:2], *ours)}
    optimized = LIRPA_METHODS[2]
    try:
        found[optimized] = margins(model, x, y, threat, optimized)
    except InputTypeError as error:  # it fails inside on some networks
        print(error, file=sys.stderr)
    counts = {m: str(int((bounds.amin(1) > 0).sum())) for m, bounds in found.items()}
    best = sharpest(found, ours)
    splits = METHODS["splits" if "splits" in known else "tangent_splits"]
    if threat.norm in splits.norms:
        left = torch.stack([found[m].amin(1) for m in ours]).amax(0) <= 0
        proofs = certify(model, x[left], y[left], threat, [replace(splits, nodes=nodes)])
        counts["splits"] = str(int((~left).sum()) + sum(p.holds for p in proofs))
    plain = sharpest(found, LIRPA_METHODS[:2])
    theirs = sharpest(found, [m for m in LIRPA_METHODS if m in found])
    columns = [counts.get(m, "-") for m in (*LIRPA_METHODS, *OURS, "splits")]
    columns += [str(ahead(best, theirs)), str(ahead(plain, best))]
    return [*columns, str(ahead(found[optimized], best)) if optimized in found else "-"]


def sharpest(found: dict[str, torch.Tensor], methods: Sequence[str]) -> torch.Tensor:
    """The best bound of each margin."""
    return torch.stack([found[m] for m in methods]).amax(0)


def ahead(bound: torch.Tensor, other: torch.Tensor) -> int:
    """How many margins it bounds better, by more than rounding."""
    size = 1 + torch.maximum(bound.abs(), other.abs())
    return int((bound - other > ROUNDING * size)[other.isfinite()].sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=10, help="pieces of splits, a margin")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--norm", choices=RADII, default="Linf")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    make_importable()
    torch.set_num_threads(1)
    print(f"auto_LiRPA {version('auto_LiRPA')}, torch {torch.__version__}, seed {options.seed}\n")
    methods = " | ".join((*LIRPA_METHODS, *OURS, "splits"))
    sides = "ours ahead | IBP, CROWN ahead | alpha-CROWN ahead"
    print(f"| network | eps | images, correct | {methods} | {sides} |")
    print("|" + "---|" * 13)
    for name in options.networks.split(","):
        start = time.process_time()
        model, data = trained(name, options.seed)
        x, y = data.x_test[: options.examples], data.y_test[: options.examples]
        with torch.no_grad():
            correct = model(x).argmax(1) == y
        images = f"{len(x)}, {int(correct.sum())}"
        for eps in RADII[options.norm]:
            threat = ThreatModel(options.norm, eps)
            row = cell(model, x[correct], y[correct], threat, options.nodes)
            print(f"| {name} | {eps} | {images} | {' | '.join(row)} |", flush=True)
        spent = time.process_time() - start
        print(f"{name}: {spent:.0f} s of a processor", file=sys.stderr)


if __name__ == "__main__":
    main()
