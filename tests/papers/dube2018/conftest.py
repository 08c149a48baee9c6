"""Made-up results of the study of Dube, with known answers."""

import pytest

N = [16, 64, 256, 1024]


def _norms(slope, seed):
    """Euclidean norms whose RMS falls with this slope, a little different for each seed."""
    return [(1 + 0.01 * seed) * n ** (slope + 0.5 + 0.001 * (-1) ** seed) for n in N]


def _made_up(
    *,
    random=-0.5,
    trained=0.0,
    rough=0.0,
    smooth=-0.5,
    minima=1,
    real_index=(0, 1, 2, 3),
    complex_index=(4, 4, 4, 4),
    weight_index=(3, 4, 0),
    gap=1e-14,
    seeds=5,
):
    from holonet.papers.dube2018.critical_points import INPUT_FAMILIES, WEIGHT_FAMILIES
    from holonet.papers.dube2018.matrices import ORDERS
    from holonet.papers.dube2018.perturbations import NETWORKS

    cells = []
    for seed in range(seeds):
        conditions = ("real hyperplane", "complex hyperplane, C^n", *NETWORKS)
        search = dict.fromkeys(NETWORKS, 0.01)
        named = {name: _norms(random, seed) for name in conditions}
        cells.append(
            {"part": "random", "n": N, "norms": named, "search": {**search, "hyperplane": 0.002}}
        )
        fields = {"rough": _norms(rough, seed), "smooth": _norms(smooth, seed)}
        cells.append({"part": "best-linear", "n": N, "norms": fields})
        counts = {str(n): [minima, *[20] * (n - 1), minima] for n in ORDERS}
        cells.append({"part": "matrices", "counts": counts})
        cells += [
            {
                "part": "trained",
                "images": images,
                "family": family,
                "n": N,
                "norms": _norms(trained, seed),
                "accuracy": [0.9] * 4,
                "missing": [0, 0, 0, 1],
                "search": {family: 0.02},
            }
            for family in NETWORKS
            for images in ("resampled", "rough", "smooth")
        ]
        cells += [
            {
                "part": "inputs",
                "family": family,
                "searches": [
                    {"space": "R^n", "dimension": 4, "indices": list(real_index) * 3},
                    {"space": "C^n", "dimension": 8, "indices": list(complex_index) * 3},
                ],
                "spectra": [
                    {"space": "R^n", "low": -1.0, "high": 2.0},
                    {"space": "C^n", "low": -1.0, "high": 1.0 + gap * (1 + seed)},
                ],
            }
            for family in INPUT_FAMILIES
        ]
        cells += [
            {
                "part": "weights",
                "family": family,
                "dimension": 36,
                "points": [
                    *({"origin": "random", "index": k, "loss": 1.0} for k in weight_index),
                    {"origin": "near a minimum", "index": 0, "loss": 0.5},
                ],
            }
            for family in WEIGHT_FAMILIES
        ]
    return {str(k): {"seed": 0, **cell} for k, cell in enumerate(cells)}


@pytest.fixture
def made_up():
    """The results as a function of what they are to say."""
    return _made_up
