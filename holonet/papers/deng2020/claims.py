"""What Deng, He, Huang and Su (2020) claim, and what of it is reconstructed."""

from holonet.papers.deng2020 import evidence, figures
from holonet.papers.deng2020.evidence import COUNTERPARTS
from holonet.papers.deng2020.measure import PAPER
from holonet.studies.claims import Claim, Standing
from holonet.studies.figures import interval_figure

__all__ = ["CLAIMS"]

ABSTRACT = "Abstract. No full text was at hand"
SETTING = (
    "Random networks of 400 units on 100 inputs, softplus and tanh, targets +1 or -1, sphere of "
    "half the input's length about it"
)
TREND = (
    "Start by start, over all pairs of the scales 0.05, 0.2, 1, 5, 20: how often the larger scale "
    "needs more iterations minus how often it needs fewer. Ascents cut off at the cap are ties "
    "with each other and longer than the rest, which is what is known of them."
)
SINE = (
    "The tolerance is 0.001 on the sine of the angle between gradient and perturbation, which "
    "depends neither on the scale of input and loss nor on the step."
)
ABOVE = "Confirmed if the 95% interval over seeds lies above 0 for each network."

CLAIMS = (
    Claim(
        "local-maximum",
        "Projected gradient ascent on a sphere about the input comes near a local maximum of a "
        "two-layer network's quadratic loss, with high probability.",
        f"{ABSTRACT}: activation, initial weights, step and tolerance are reconstructed.",
        f"{SETTING}, scale 1. Share of random starts that end, within the cap, at a point with "
        "the sine below 0.001 and the largest eigenvalue of the Hessian on the sphere, times "
        "radius over gradient, at most 0.001. Confirmed if the 95% interval over networks lies "
        "above 0.9 under both step rules.",
        evidence=evidence.local_maxima,
        figure=interval_figure(
            "Starts that come to a verified local maximum", "share", evidence.local_maxima,
            "Scale 1, the first four, decides.",
        ),
    ),
    Claim(
        "polynomial",
        "The number of iterations grows polynomially in 1 / tolerance, width and ratio of "
        "perturbation to input.",
        f"{ABSTRACT}, nor its exponents: that they are at most 1 is reconstructed, a bound that "
        "this experiment can refute.",
        "Slope of log median iterations against the log of each, normalised step, scale 1: "
        "tolerances 0.1 to 1e-5, widths 100 to 1600, ratios 0.1 to 1. Confirmed if each 95% "
        "interval lies below 1. Not testable if a median lies beyond the cap. No finite range "
        "shows a polynomial, and where a curve bends upwards its exponent at the end is larger.",
        evidence=evidence.polynomial,
        figure=figures.polynomial,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "input-scale",
        "At a fixed ratio of perturbation to input, a smaller input needs fewer iterations, in "
        "the initial phase of training.",
        f"{ABSTRACT}: the step rule and the tolerance are reconstructed.",
        f"{SETTING}. Step of 0.1 radii along the gradient's direction. {SINE} {TREND} {ABOVE}",
        evidence=evidence.input_scale("normalised"),
        figure=figures.iterations("normalised", PAPER, "softplus, tanh"),
    ),
    Claim(
        "input-scale-raw",
        "A smaller input needs fewer iterations with a fixed multiple of the gradient as the step, "
        "instead of a fixed length.",
        f"{ABSTRACT}: the step rule and the tolerance are reconstructed.",
        f"As before, with the step 0.1 times the gradient. {ABOVE}",
        evidence=evidence.input_scale("raw"),
        figure=figures.iterations("raw", PAPER, "softplus, tanh"),
    ),
    Claim(
        "regular-landscape",
        "At a fixed ratio, a smaller input has a more regular landscape.",
        f"{ABSTRACT}: what regular means is reconstructed, as fewer distinct maxima, and a "
        "smaller Lipschitz constant of the gradient.",
        "Maxima by L-BFGS from the same starts, verified in first and second order at 1e-4, "
        "distinct if 0.1 radii apart (single linkage). Lipschitz constant from below: the "
        "greatest stretching of a tangent vector by the Hessian at all starts and maxima; "
        "relative: times radius over the mean gradient. Trend of both over the scales. The "
        "constant itself has another unit at each scale and decides nothing. "
        f"{ABOVE}",
        evidence=evidence.regular_landscape,
        figure=figures.regularity,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "counterparts",
        "A smaller input needs fewer iterations with holomorphic activations too: x^2, sin with "
        "real coefficients; z^2, sin with complex ones.",
        "Not in the paper: its setting with activations that have an entire continuation.",
        f"As input-scale, normalised step, perturbations of the real input. {ABOVE}",
        evidence=evidence.counterparts,
        figure=figures.iterations(
            "normalised", (*COUNTERPARTS, "real-relu"), "holomorphic activations, ReLU"
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "homogeneous",
        "The scale acts through the activation's departure from a homogeneous one: for x^2, z^2 "
        "and ReLU with target 0 the ascent does not depend on it; for the others it does.",
        "Not in the paper. phi(s u) = s^k phi(u) multiplies the loss by s^(2k), which the "
        "normalised step and the sine do not see.",
        "Mean distance of the points of two neighboring scales after 30 steps from one start, in "
        "radii, target 0. Confirmed if the 95% interval over seeds lies below 1e-6 for the "
        "homogeneous ones, above 0 for the others.",
        evidence=evidence.homogeneous,
        figure=interval_figure(
            "Distance between the ascents at neighboring scales, target 0", "radii",
            evidence.homogeneous, "The first three activations are homogeneous.",
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "analytic-piecewise",
        "An analytic activation has a gradient that is Lipschitz on the sphere, and ascent "
        "arrives; ReLU has neither.",
        "Not in the paper, whose activation is smooth (reconstructed).",
        "Growth of the greatest difference quotient of the gradient on an arc from one 64th to "
        "64^-5 of it, at scale 1, in powers of ten: confirmed if below log10 2 for each analytic "
        "network, above 2 for ReLU, and the share of starts that arrive as in local-maximum lies "
        "above 0.5 for each analytic network, below it for ReLU.",
        evidence=evidence.analytic_piecewise,
        figure=figures.quotients,
        standing=Standing.ADDED,
    ),
    Claim(
        "maximum-principle",
        "For holomorphic networks and complex perturbations the loss has no maximum inside the "
        "ball, so that the sphere is no restriction; for real perturbations it can have one.",
        "Not in the paper: (Re F - y)^2 / 2 is a convex function of a harmonic one, hence "
        "subharmonic, which is the maximum principle.",
        "Networks of 50 units on 3 inputs at scale 6, where the control has such maxima; monotone "
        "ascent from random points of the ball. Confirmed if the share of ends at a maximum "
        "inside, and of starts with a negative definite Hessian, lies below 0.01, that on the "
        "sphere above 0.99 (Wilson), and the share of maxima inside of the real sin network, real "
        "perturbations, above 0 (95% interval over seeds).",
        evidence=evidence.maximum_principle,
        figure=interval_figure(
            "Where ascents in the ball end", "share", evidence.maximum_principle,
            "Of complex perturbations none ends inside; of real ones of the same sin network some.",
        ),
        standing=Standing.ADDED,
    ),
)  # fmt: skip
