"""What Barati, Safabakhsh and Rahmati (2022) claim, and what of it is reconstructed.

Only abstracts were at hand. Certain: complex analysis gives a robust learning rule, adversarial
examples are tied to harmonic functions, transferability is said to be explained by that; a later
version widens the scope to any differentiable hypothesis; a sequel treats weakly harmonic and
holomorphic hypotheses and an objective with the Dirichlet energy. Reconstructed: the rule adds
(weight/2) E ||grad_x h(x)||^2 to the risk; weakly harmonic means stationary for that energy; a
holomorphic hypothesis is holomorphic near the real data and read off by its real part.
"""

from holonet.papers.barati2022 import (
    evidence_images,
    evidence_plane,
    figures_images,
    figures_plane,
)
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Evidence

__all__ = ["CLAIMS"]

PAPER = "Barati, Safabakhsh and Rahmati (2022), abstract"
NODES = (
    "Spearman's correlation over ordered pairs of networks, given how often source and target "
    "fall to their own attacks; the bootstrap draws networks, since pairs that share one are "
    "dependent."
)

CLAIMS = (
    Claim(
        "dirichlet-principle",
        "Minimizing risk plus Dirichlet energy drives a hypothesis to the harmonic function with "
        "the boundary values that the risk asks for.",
        f"{PAPER}: robust learning is tied to harmonic functions. That the penalty is the "
        "Dirichlet energy, and that its stationary points are meant, is reconstructed.",
        "In the plane: risk on the boundary of a disc or a ring, energy inside. Confirmed if the "
        "distance from the closed form of the minimizer, over the form's spread, lies below 0.1 "
        "on each problem, and networks under the risk alone are farther from the harmonic "
        "extension (95% intervals over seeds, Student).",
        evidence=evidence_plane.dirichlet_principle,
        figure=figures_plane.dirichlet_principle,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "risk-on-data",
        "That holds as well where risk and energy are taken on the same data.",
        "Reconstructed: a classifier has no boundary apart from its data, so this is how the rule "
        "is used.",
        "Risk and energy at points all over a disc. Confirmed if the distance from the harmonic "
        "function with the network's own boundary values lies below 0.1 of the spread.",
        evidence=evidence_plane.risk_on_data,
        figure=figures_plane.risk_on_data,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "holomorphic-harmonic",
        "A holomorphic hypothesis read off by its real part is harmonic, so that its values on "
        "the boundary determine it.",
        f"{PAPER}, and the sequel on weakly harmonic and holomorphic hypotheses; the real part as "
        "the readout is reconstructed.",
        "The plane as one complex variable z = x + iy, risk on the circle, no energy. Confirmed "
        "if the distance from the harmonic extension lies below 0.1 of the spread and the "
        "harmonic defect, mean (Laplacian)^2 over 2 mean |Hessian|^2, below 0.001.",
        evidence=evidence_plane.holomorphic_harmonic,
        figure=figures_plane.holomorphic_harmonic,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "ring-real-part",
        "Every harmonic hypothesis of the plane is the real part of a holomorphic one.",
        "Not in the abstract: what would have to hold for the two kinds to be the same.",
        "Values 0 and 1 on the circles of a ring, whose harmonic extension is a multiple of "
        "log|z|. Confirmed if the real part of a holomorphic network comes within 0.1 of the "
        "spread.",
        evidence=evidence_plane.ring_real_part,
        figure=figures_plane.ring_real_part,
        standing=Standing.ADDED,
    ),
    Claim(
        "data-coordinates",
        "A network that is holomorphic on C^d is harmonic as a function of real data in R^d.",
        "Not in the abstract: what would have to hold for images, whose d real pixels are lifted "
        "to C^d, to be treated as the plane is.",
        "Networks holomorphic on C^2 at points of the real plane, risk on the circle. Confirmed if "
        "the harmonic defect in the two real coordinates lies below 0.001.",
        evidence=evidence_plane.data_coordinates,
        figure=figures_plane.data_coordinates,
        standing=Standing.ADDED,
    ),
    Claim(
        "energy-helps",
        "The rule with the Dirichlet energy is more robust than the risk alone.",
        f"{PAPER}: a robust learning rule. The energy of the logits is reconstructed.",
        "Robust accuracy, mean over all positive weights, minus that at weight 0, paired over "
        "seeds. Confirmed if the interval lies above 0 for each family.",
        evidence=evidence_images.energy_helps,
        figure=figures_images.energy_helps,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "energy-robustness",
        "The lower the Dirichlet energy on the data, the higher the robust accuracy.",
        "Reconstructed from the rule: what makes the energy its right quantity.",
        "Spearman's correlation of the energy of the logits on test data with robust accuracy, "
        "over networks of all weights and seeds. Confirmed if the bootstrap interval lies below 0 "
        "for each family. The weight is a common cause of both.",
        evidence=evidence_images.energy_robustness,
        figure=figures_images.energy_robustness,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "holomorphic-robust",
        "Under the same rule holomorphic networks are more robust than real ones of equal size.",
        f"{PAPER}, and the sequel: holomorphic hypotheses are the first that the rule is derived "
        "for. The comparison is reconstructed.",
        "Robust accuracy of z^2 networks minus that of ReLU and of softplus networks with as many "
        "real parameters, paired over seeds: mean over positive weights, and at equal clean "
        "accuracy (best robust accuracy among the weights that keep a clean accuracy, mean over 5 "
        "levels). Confirmed if all four intervals lie above 0.",
        evidence=evidence_images.holomorphic_robust,
        figure=figures_images.holomorphic_robust,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "transfer-distance",
        "The nearer two logit functions are, the more adversarial examples transfer.",
        f"{PAPER}: transferability is explained by harmonic functions. How is reconstructed: "
        "harmonic functions with the same boundary values are the same function.",
        f"{NODES} Predictor: root mean square difference of centered logits on test points, each "
        "network's scaled to mean square 1. Confirmed if the interval lies below 0.",
        evidence=evidence_images.transfer_distance,
        figure=figures_images.transfer_distance,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "transfer-harmonicity",
        "The nearer two networks are to harmonic, the more adversarial examples transfer.",
        f"{PAPER}, reconstructed as above: the uniqueness argument needs both to be harmonic.",
        f"{NODES} Predictor: mean over the two of the mean value defect of the logits in the real "
        "coordinates of the data. Confirmed if the interval lies below 0.",
        evidence=evidence_images.transfer_harmonicity,
        figure=figures_images.transfer_harmonicity,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "transfer-data",
        "Adversarial examples transfer more between networks that were trained on the same data.",
        f"{PAPER}, reconstructed as above: training data stand for shared boundary values.",
        f"{NODES} Predictor: whether both saw the same half of the training set, or disjoint "
        "halves. Confirmed if the interval lies above 0.",
        evidence=evidence_images.transfer_data,
        figure=figures_images.transfer_data,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "theorems",
        "The bounds of the paper's learning theory hold.",
        f"{PAPER}: a learning-theoretic framework. Its theorems were not at hand.",
        "None: there is no statement to compare numbers with.",
        evidence=lambda results: Evidence(remark="There is no statement to compare numbers with."),
    ),
)
