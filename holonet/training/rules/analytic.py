"""The analytic rule: empirical risk, and penalties from complex analysis instead of attacks."""

from typing import Literal

from holonet._arguments import checked
from holonet.errors import ConfigError
from holonet.regularizers import (
    CauchyRiemannPenalty,
    DirichletEnergy,
    GradientNorm,
    LaplacianPenalty,
)
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.rule import Penalty, PenaltyTarget
from holonet.training.rules.schedule import Weight

__all__ = ["AnalyticRule"]


@checked
class AnalyticRule(EmpiricalRisk):
    """Empirical risk + weight * Dirichlet energy (1/2) E ||J||_F^2: the analytic robust rule.

    No attack is run in training. Reconstructed: Barati et al. derive a rule with the Dirichlet
    energy of the hypothesis; whether the hypothesis is the logits, the probabilities or the
    loss is not known, so all three are offered, and the complex map in front of the readout.
    The other terms are ours: with `cauchy_riemann` the map is pushed towards holomorphic, with
    `harmonic` the function towards harmonic, in the coordinates of `directions`.

    Args:
        weight: of the energy, a number or a schedule.
        target: "logits", "probabilities", "loss", or "map" for the complex map.
        count: random directions for each example; None for the exact energy.
        mode: "reverse" (double backward) or "forward", see `regularizers.DirichletEnergy` and
            `regularizers.GradientNorm`.
        gradient_norm: "L2" for the Dirichlet energy; "L1" for E ||grad||_1
            (`regularizers.GradientNorm`), dual to an l_inf threat. With target="loss" and
            weight=eps that is the first-order robust loss, exact where the loss is linear.
        directions: "real", those that real data can move in; or "complex", those of all of C^n
            about them. For the complex map of a holomorphic network the two energies are equal.
            For its logits, real parts, "complex" is the mean of the energies along x and along
            i x; an attacker of real data has the first alone.
        cauchy_riemann: weight of `regularizers.CauchyRiemannPenalty` on the complex map at the
            data lifted to C^n; 0 where the network is holomorphic by construction.
        harmonic: weight of `regularizers.LaplacianPenalty` on the same function as the energy,
            over the real coordinates alone ("real") or all 2n ("complex"). Logits that are
            real parts of holomorphic functions are harmonic in the latter, not in the former.
        label_smoothing: of the cross-entropy.

    Another rule takes the penalties too: `fgsm_rs(threat, penalties=AnalyticRule(0.3).penalties)`.

    Raises:
        ConfigError: an unknown gradient_norm or directions, or what a regularizer refuses.

    A training step takes about two standard steps, and up to three over complex directions or with
    the other terms (tests/benchmarks/step_time.py). Forward mode is nowhere cheaper, and noisier
    for the energy.

    A network that recomputes its activations (torch.utils.checkpoint) cannot be trained by this
    rule in either mode, nor by `LinearizedRobustOptimization`: torch.func does not pass it.
    There would be little to gain, see docs/architecture.md.

    References:
        Barati, Safabakhsh and Rahmati (2022), reconstructed.
    """

    def __init__(
        self,
        weight: Weight = 0.3,
        target: PenaltyTarget | str = "logits",
        count: int | None = 1,
        mode: Literal["forward", "reverse"] | str = "reverse",
        *,
        gradient_norm: Literal["L1", "L2"] | str = "L2",
        directions: Literal["real", "complex"] | str = "real",
        cauchy_riemann: Weight = 0.0,
        harmonic: Weight = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        if gradient_norm not in ("L1", "L2"):
            raise ConfigError(f"AnalyticRule(gradient_norm={gradient_norm!r}): choose 'L1' or 'L2'")
        if directions not in ("real", "complex"):
            raise ConfigError(
                f"AnalyticRule(directions={directions!r}): choose 'real' or 'complex'"
            )
        lift = directions == "complex"
        size = (
            DirichletEnergy(count, mode)
            if gradient_norm == "L2"
            else GradientNorm("L1", 1, count, mode)
        )
        penalties = [Penalty(size, weight, target, lift)]
        if cauchy_riemann != 0:
            penalties.append(Penalty(CauchyRiemannPenalty(), cauchy_riemann, "map", lift=True))
        if harmonic != 0:
            penalties.append(Penalty(LaplacianPenalty(), harmonic, target, lift))
        super().__init__(penalties, label_smoothing)
