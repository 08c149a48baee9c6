"""The analytic-framework hypothesis as claims that can fail, stated before they were measured."""

from collections.abc import Callable, Mapping

from holonet.errors import ConfigError, DataError, UnknownNameError
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Evidence
from holonet.studies.hypothesis import evidence, figures
from holonet.studies.hypothesis.evidence import Effects
from holonet.studies.hypothesis.settings import CONTROL_SEEDS
from holonet.studies.results import Results

__all__ = ["CLAIMS", "GROUPS", "TESTS", "chosen_claims"]

TESTS: Mapping[str, Callable[[Results], Effects]] = {
    "H1a": evidence.analytic_activations,
    "H1b": evidence.complex_coefficients,
    "H2-defect": evidence.population("defect", -1),
    "H2-energy": evidence.population("energy", -1),
    "H2-singularity": evidence.population("singularity", 1),
    "H3": evidence.harmonic_transfer,
    "H4": evidence.mixtures,
}
"""The test of each claim."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "H2": tuple(key for key in TESTS if key.startswith("H2-")),
    **{key: (key,) for key in TESTS},
}
"""Names that choose claims."""

SEEDS = (
    "The unit is the seed: of weights, batches and random numbers, the same for both sides. The "
    "p-value is that of all choices of signs of the differences over seeds."
)
POINTS = f"At least {100 * evidence.POINT:g} point counts."
NETWORKS = (
    "Spearman's rank correlation, of all networks, within rules (ranks within each rule), and "
    "within rules given the first-order distance, the median of margin / |gradient|_1. The unit is "
    "the network; the p-value permutes networks, within rules. All three must hold, and at least "
    f"{evidence.CORRELATION:g} counts."
)
ORIGIN = "The hypothesis that this framework rests on, made testable here."


def chosen_claims(text: str | None) -> tuple[str, ...]:
    """The keys of claims in a list with commas; all without one.

    Raises:
        UnknownNameError, ConfigError: a claim that is not stated, or none.

    Example:
        >>> chosen_claims("H1a,H2")
        ('H1a', 'H2-defect', 'H2-energy', 'H2-singularity')
    """
    if text is None:
        return tuple(TESTS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in GROUPS:
            raise UnknownNameError("claim", name, GROUPS)
    if not names:
        raise ConfigError(f"no claim is chosen: choose of {', '.join(GROUPS)}")
    keys = {key for name in names for key in GROUPS[name]}
    return tuple(key for key in TESTS if key in keys)


def _claim(
    key: str, statement: str, source: str, test: str, standing: Standing = Standing.ADDED
) -> Claim:
    def apart(results: Results) -> Evidence:
        raise DataError(f"{key} is judged together with all claims: ask for Study.findings")

    figure = figures.FIGURES[key]
    return Claim(key, statement, source, test, apart, figure, standing)


CLAIMS = (
    _claim(
        "H1a",
        "Analytic activations are more robust than piecewise ones.",
        ORIGIN,
        "Real networks of one size with x^2, GELU, softplus, tanh, sin, erf against ReLU, leaky "
        "ReLU, maxout, under the linearized rule, which runs no attack: mean robust accuracy of "
        f"the one group minus that of the other. {SEEDS} {POINTS} Controls, which decide nothing: "
        f"the same networks under standard and PGD-7 training, {CONTROL_SEEDS} seeds.",
    ),
    _claim(
        "H1b",
        "Complex coefficients are more robust than real ones with the same activation.",
        ORIGIN,
        "The six analytic activations under the linearized rule: mean robust accuracy with complex "
        "coefficients minus that with real ones, at equal real parameters, and at equal "
        f"multiply-adds. Both must hold. {SEEDS} {POINTS}",
    ),
    _claim(
        "H2-defect",
        "Networks that are more nearly harmonic are more robust.",
        ORIGIN,
        "Smaller harmonicity defect: of the margins, the part that is not harmonic of what an "
        "affine fit leaves, on spheres that touch the corners of the l_inf ball, in the "
        f"coordinates of the images. {NETWORKS}",
    ),
    _claim(
        "H2-energy",
        "Networks of smaller Dirichlet energy are more robust.",
        f"{ORIGIN} Barati et al. (2022) penalize the energy (reconstructed).",
        "Smaller Dirichlet energy of the centered logits, over their mean square, so that a change "
        f"of scale counts for nothing. {NETWORKS}",
        Standing.RECONSTRUCTED,
    ),
    _claim(
        "H2-singularity",
        "Networks whose nearest complex singularity is farther are more robust.",
        ORIGIN,
        "The median distance of the nearest complex singularity on the line along the margin's "
        "gradient; the nearest kink of piecewise networks; entire networks have none and count as "
        f"farthest. {NETWORKS}",
    ),
    _claim(
        "H3",
        "Transfer between two networks grows with the agreement of their harmonic parts, beyond "
        "what clean agreement explains.",
        f"{ORIGIN} Barati et al. (2022) tie transfer to harmonic functions (abstract).",
        "Over ordered pairs of networks: Spearman's correlation of the transfer rate with the mean "
        "cosine of the gradients of the harmonic parts in balls about the images, given the share "
        "of equal answers and the cosine of the logits; and given how often source and target fall "
        "to their own attacks too. Both must hold. Pairs that share a network are dependent: the "
        "p-value permutes networks, the interval draws networks. At least "
        f"{evidence.CORRELATION:g} counts.",
        Standing.RECONSTRUCTED,
    ),
    _claim(
        "H4",
        "A mixture of holomorphic experts on different regions is more robust than one holomorphic "
        "network of the same size.",
        "The sequel to Barati et al. (2022), of which an abstract was at hand. The construction is "
        "reconstructed: four complex z^2 networks, weighted by a softmax of squared distances to "
        "fixed centers of k-means, trained together; attacks see through the weights; the centers "
        "count as parameters.",
        "Robust accuracy of the mixture minus that of one complex z^2 network of as many real "
        f"parameters, under the linearized rule. {SEEDS} {POINTS} Controls: random centers; real "
        "experts against one real network.",
        Standing.RECONSTRUCTED,
    ),
)
"""In the order of the report."""
