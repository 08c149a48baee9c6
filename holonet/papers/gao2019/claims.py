"""What Gao et al. (2019) claim, what is reconstructed, and what was added here."""

from holonet._page import Section
from holonet.papers.gao2019 import evidence, figures
from holonet.papers.gao2019.networks import KINDS
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Evidence
from holonet.studies.figures import interval_figure

__all__ = ["CLAIMS"]

PAPER = "Gao et al. (2019), abstract"
SEEDS = "95% intervals over seeds (Student)."
DEFINITE = evidence.kernel_definite("relu", "sin x", "sin z")
SQUARES = evidence.kernel_definite("x^2", "z^2")
EVERY = evidence.kernel_definite(*KINDS)
BALL = (
    "20 random unit vectors in R^10 with random labels, logistic loss, hidden weights trained, "
    "outputs 0 at the start, an l2 attack of 0.75 of the largest radius that separates the labels"
)

CLAIMS = (
    Claim(
        "surrogate-optimal",
        "Projected gradient descent in a ball around the start brings the surrogate loss, taken at "
        "the attack's points, within a tolerance of the optimal robust loss.",
        f"{PAPER}. That the ball is one of the Frobenius norm is reconstructed.",
        f"{BALL}. The least surrogate loss minus a lower bound of the optimal robust loss in the "
        "same ball, from the gradients along the run (exact for networks linear in their weights); "
        "widest networks, balls of radius 5 and 15. Confirmed if all intervals lie below 0.05. "
        f"{SEEDS}",
        evidence=evidence.surrogate_optimal,
        figure=figures.training,
    ),
    Claim(
        "any-attacker",
        "The surrogate loss comes that near to the optimal robust loss for any attacker.",
        f"{PAPER}.",
        "The same for training on clean points and against a single step, in the ball of radius "
        "15, with the same lower bound. Confirmed if all intervals lie below 0.05.",
        evidence=evidence.any_attacker,
        figure=interval_figure(
            "Weaker attackers", "surrogate loss minus lower bound", evidence.any_attacker
        ),
    ),
    Claim(
        "near-zero",
        "The optimal robust loss is near zero for networks that are wide enough.",
        f"{PAPER}. How wide is asymptotic; that the networks here are is not known.",
        "Robust loss under the strong attack after training by Adam, which upper bounds the "
        f"optimum. Confirmed if the intervals of ReLU and sin lie below 0.1 (start: 0.69). {SEEDS}",
        evidence=evidence.near_zero,
        figure=figures.wide,
    ),
    Claim(
        "lazy",
        "The wider the network, the less it moves, and the less its tangent kernel.",
        "The lazy regime, as the proofs are reconstructed.",
        "Exponent in the width of the relative movement of the weights in a ball that is not "
        "reached (radius 60; sin z may reach it), and of the kernel at the data (radius 15). "
        "Theory: -1/2 for the weights. Confirmed if all intervals lie below -0.25.",
        evidence=evidence.lazy,
        figure=interval_figure("Movement against width", "exponent in the width", evidence.lazy),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "kernel-limit",
        "The tangent kernel of random networks tends to its limit like width^-1/2.",
        "What the proofs are reconstructed to rest on. Closed forms in c = <x, y>: arc-cosine for "
        "ReLU, c^2 / 2 for squares, c cosh(c) / (2 cosh 1) for sin; real and complex agree.",
        "Relative distance of calculus.tangent_kernel from the closed form, at complex points "
        "for complex coefficients. Confirmed if the exponents are on average nearer than 0.15 to "
        "-1/2 (intervals of the absolute miss).",
        evidence=evidence.kernel_limit,
        figure=figures.kernel_distances,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "kernel-definite",
        "The kernels of ReLU and of sin, real and complex, are definite at distinct points.",
        "As reconstructed: what makes every labelling reachable in the lazy regime.",
        "Eigenvalues above 1e-10 of the largest, over 60, at 60 random real unit vectors in 10 "
        "dimensions, widest networks. Confirmed if the share is 1.",
        evidence=DEFINITE,
        figure=interval_figure("Rank of the kernel", "share of positive eigenvalues", EVERY),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "kernel-polynomial",
        "The kernels of x^2 and of z^2 are definite at distinct points, too.",
        "Not in the paper: whether any analytic activation will do.",
        "The same for x^2 and z^2; quadratic forms in 10 coordinates have 55 dimensions. Confirmed "
        "if the share is 1.",
        evidence=SQUARES,
        figure=interval_figure("Rank for squares", "share of positive eigenvalues", EVERY),
        standing=Standing.ADDED,
    ),
    Claim(
        "complex-lazy",
        "Complex coefficients change nothing in the lazy regime.",
        "Not in the paper. At real unit vectors the limits of the kernels of sin x and of Re sin z "
        "are equal.",
        "Absolute difference in robust loss between sin z and sin x of the same seed, widest "
        "networks, radii 5 and 15. Confirmed if the intervals lie below 0.02.",
        evidence=evidence.complex_lazy,
        figure=interval_figure(
            "Complex against real coefficients", "difference in robust loss", evidence.complex_lazy
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "capacity",
        "A robust fit needs more capacity than a standard one.",
        f"{PAPER}: robust interpolation of n points in R^d needs a VC dimension of order n d. "
        "Measuring it by the smallest width is reconstructed.",
        "Smallest widths by bisection, for points and for balls around them, in 5 dimensions. "
        "Confirmed if the intervals of log2(robust / standard) at the most examples lie above 0 "
        "for ReLU, sin x and sin z.",
        evidence=evidence.capacity_ratio,
        figure=figures.capacity,
    ),
    Claim(
        "capacity-polynomial",
        "Width is enough for a robust fit by x^2, too.",
        "Not in the paper: a network of x^2 is a quadratic form, of 15 dimensions in 5 "
        "coordinates, at any width.",
        "Share of seeds with a robust fit of the most examples at some width up to the cap. "
        "Confirmed if Wilson's interval lies above 1/2.",
        evidence=evidence.capacity_polynomial,
        figure=interval_figure("Fits by x^2", "share of seeds", evidence.capacity_polynomial),
        standing=Standing.ADDED,
    ),
    Claim(
        "capacity-complex",
        "With complex coefficients a robust fit needs fewer real parameters.",
        "Not in the paper: the same activation, sin, with complex and with real coefficients.",
        "log2 of the parameters of the smallest sin z network over those of the smallest sin x "
        "network, both robust. Confirmed if the interval of each number of examples lies below 0.",
        evidence=evidence.capacity_complex,
        figure=interval_figure(
            "Parameters, complex over real", "doublings", evidence.capacity_complex
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "two-balls",
        "Pairs of balls of ratio rho shatter d points from rho = sqrt(1 - 1/d) on.",
        "Kim, Moon and Yun (2025) give the range; the construction with centers +-c s, "
        "c = 1 / (d (1 - rho^2)), is reconstructed.",
        "All labellings of d = 2 to 8 at 0.001 above and below the threshold; and for each "
        "labelling the least ratio of any antipodal pair, by a convex program (scipy, SLSQP). "
        "Confirmed if all labellings are realized above, none below, and the program's least "
        "ratio is the threshold to 1e-6.",
        evidence=evidence.two_balls,
        figure=figures.thresholds,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "two-balls-free",
        "Below rho = sqrt(1 - 1/d) no pairs of balls shatter d points.",
        "Not claimed: the threshold is that of pairs symmetric about 0.",
        "The least ratio over free centers (descent from 8 starts), for the worst labelling, minus "
        "the threshold. Confirmed if it is not below 0. For even d the least ratio is sqrt(1 - "
        "1/(d - 1)), by the same computation with two offsets along the line between the balls.",
        evidence=evidence.two_balls_free,
        figure=interval_figure(
            "Free centers", "least ratio minus threshold", evidence.two_balls_free
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "asymptotic-width",
        "Widths of a given polynomial order are enough for convergence, and widths of order "
        "sqrt(n d) are needed.",
        f"{PAPER}. Constants and exponents of the theorems were not at hand.",
        "None: a statement about large widths with unknown constants cannot be tested by a run.",
        evidence=lambda results: Evidence(remark="Constants are unknown: no run tests this."),
        figure=lambda results: Section("Widths of the theorems"),
    ),
)
