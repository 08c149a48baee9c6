"""What Dube (2018) claims, and what of it is reconstructed."""

from holonet.papers.dube2018 import evidence, figures
from holonet.studies.claims import Claim, Standing
from holonet.studies.figures import interval_figure

__all__ = ["CLAIMS"]

ABSTRACT = (
    "Abstract: by a multiresolution argument the expected L2 norm of adversarial perturbations is "
    "O(1/sqrt n) in the resolution n"
)
RMS = "That the norm is the root mean square over the pixels (RMS) is reconstructed."
SLOPE = (
    "Slope of log mean norm over log n, n the number of pixels, for each seed. Confirmed if the "
    f"95% interval over seeds lies below {evidence.RATE} for each of the"
)
FOUND = (
    "Critical points are found by Levenberg-Marquardt on the gradient from test images plus noise, "
    "and counted if the Newton step there is below 1e-8 and no eigenvalue of the Hessian below "
    "1e-6 of the largest. Each start has a function of its own: no point counts twice."
)

CLAIMS = (
    Claim(
        "random-rms",
        "Perturbations of random hyperplanes and networks shrink like 1/sqrt(n) in RMS.",
        f"{ABSTRACT}. {RMS}",
        f"Standard normal points of R^n. {SLOPE} hyperplanes (closed form, with real coefficients, "
        "and with complex ones and perturbations in C^n) and families of networks.",
        evidence=evidence.rate("random"),
        figure=figures.norm_figure("Random hyperplanes and networks", "random"),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "random-euclidean",
        "The Euclidean norm itself shrinks like 1/sqrt(n), pixels staying in a fixed range.",
        f"{ABSTRACT}: the words as they stand. For hyperplanes the mean is sqrt(2/pi) at every n.",
        f"The same perturbations. {SLOPE} same conditions.",
        evidence=evidence.rate("random", rms=False),
        figure=figures.norm_figure("The Euclidean norm", "random", rms=False),
    ),
    Claim(
        "resampled",
        "The RMS norm falls so for classifiers trained on resampled images.",
        f"{ABSTRACT}. {RMS} So are images and networks.",
        f"One classifier for each side, on bicubic copies of the images. {SLOPE} families.",
        evidence=evidence.rate("trained", "resampled"),
        figure=figures.norm_figure("Resampled images", "trained", "resampled"),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "fields",
        "It falls so for classifiers trained on images with new detail at every resolution.",
        f"{ABSTRACT}. {RMS} So are the images: resampling adds no detail, fields have it.",
        "Two classes of Gaussian fields, mean -T and T, amplitudes |k|^-1 (rough, as in natural "
        "images) or |k|^-2 (smooth), sampled on finer and finer grids. "
        f"{SLOPE} families on both. Test accuracies are in the table: where they differ over n, "
        "the slope compares classifiers of different quality.",
        evidence=evidence.rate("trained", "rough", "smooth"),
        figure=figures.norm_figure("Random fields", "trained", "rough", "smooth"),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "best-linear",
        "The rate is one of the spectrum: for fields |k|^-a the best linear classifier has RMS "
        "slope -(a - 1)/2, which is 0 for natural images and -1/2 for smooth ones.",
        "Not in the abstract. Where each frequency tells as much, the margin grows like n and the "
        "norm of the weights C^-1 T, per pixel, like n^(a/2 + 1/2).",
        "Closed form. Confirmed if the slope lies within 0.1 of 0 (rough) and of -1/2 (smooth).",
        evidence=evidence.best_linear,
        figure=figures.norm_figure("The best linear classifier of fields", "best-linear"),
        standing=Standing.ADDED,
    ),
    Claim(
        "random-matrices",
        "Among random symmetric matrices saddles outnumber minima.",
        "Abstract: saddle points outnumber minima. Gaussian matrices as Hessians are "
        "reconstructed.",
        "Gaussian orthogonal matrices. Confirmed if the share of positive definite ones among all "
        "but the negative definite has a 95% interval (Wilson) below 1/2 at each order. The exact "
        "probability is beside the measured one.",
        evidence=evidence.matrices,
        figure=interval_figure(
            "Random symmetric matrices", "share of minima, and probability", evidence.matrices
        ),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "weights",
        "In the weights of a network saddle points of the loss outnumber minima.",
        "Abstract. Loss, size and how critical points are sampled are reconstructed.",
        "Cross entropy plus decay, 36 to 38 real weights. Critical points are found from random "
        "weights and verified as those in the input are, one for each value of the loss. "
        "Confirmed if the share of minima has a 95% interval (Wilson) below 1/2 for each family. "
        "Control: starts near minima.",
        evidence=evidence.weights,
        figure=figures.weight_figure,
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "inputs",
        "In real inputs saddle points of logit differences outnumber minima.",
        "Not claimed of inputs.",
        f"Random and trained networks of 4 and 16 pixels. {FOUND} Confirmed if the share of "
        "minima, maxima left out, has a 95% interval (Wilson) below 1/2 for each family.",
        evidence=evidence.real_inputs,
        figure=interval_figure(
            "Critical points in real inputs", "share of minima", evidence.real_inputs
        ),
        standing=Standing.ADDED,
    ),
    Claim(
        "holomorphic-index",
        "Every nondegenerate critical point of Re f, f holomorphic on C^n, is a saddle of index n.",
        "Not in the paper. A theorem: turning a direction by i changes the sign of the second "
        "derivative. It is checked on the code.",
        "The same networks on C^n, as real functions of 2n real coordinates. "
        f"{FOUND} Confirmed if the share of index n has a 95% interval (Wilson) above 0.9 for each "
        "family. Control: index d/2 at critical points of the same networks on R^d.",
        evidence=evidence.holomorphic_index,
        figure=figures.index_figure,
        standing=Standing.ADDED,
    ),
    Claim(
        "pairs",
        "At every point the Hessian of Re f on C^n has eigenvalues in pairs +-.",
        "Not in the paper. A theorem, for the same reason.",
        "Extreme eigenvalues by Lanczos from Hessian-vector products, networks of 256 pixels, at a "
        "test image: log10 of |lowest + highest| over the larger one. Confirmed if the 95% "
        "interval lies below -6 for each family. Control: the same on R^n.",
        evidence=evidence.pairs,
        figure=interval_figure("Pairs of eigenvalues", "log10 of the asymmetry", evidence.pairs),
        standing=Standing.ADDED,
    ),
)
