"""What Shaham, Yamada and Negahban (2015) claim, and what of it is reconstructed."""

from holonet.papers.shaham2015.evidence import (
    clean,
    each_lies,
    figure,
    other_sets,
    own_set,
    survives_pgd,
)
from holonet.studies.claims import Claim, Standing

__all__ = ["CLAIMS"]

CODE = "the authors' public scripts (github.com/runopti/RobustTraining, read)"
ABOVE = "Confirmed if the 95% interval of the difference over seeds lies above 0 for all."

CLAIMS = (
    Claim(
        "trained-attack",
        "Robust optimization makes it harder to generate new adversarial examples: accuracy under "
        "the one-step attack that a network was trained against rises.",
        f"Abstract; the steps and radii from {CODE}: l_inf 0.2, l_1 2, l_2 2.",
        "Each robust network minus the baseline of the same seed, both under the one-step attack "
        f"of the robust network's own set, computed for the attacked network itself. {ABOVE}",
        evidence=each_lies(own_set("one_step")),
        figure=figure(own_set("one_step"), "The attack trained against", "accuracy (points)"),
    ),
    Claim(
        "other-attacks",
        "It also rises under the one-step attacks of the other two sets.",
        "The comparison across sets is reconstructed: no table of the paper was at hand.",
        f"The six differences for a set that the network was not trained for. {ABOVE}",
        evidence=each_lies(other_sets),
        figure=figure(
            other_sets, "The attacks of the other sets", "accuracy (points)", attack="one_step"
        ),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "existing-examples",
        "Robust optimization increases the robustness to existing adversarial examples.",
        "Abstract. Which examples are meant is reconstructed: those made for the baseline.",
        "One-step examples made for the baseline of the same seed in the robust network's set are "
        f"shown to both networks. {ABOVE}",
        evidence=each_lies(own_set("existing")),
        figure=figure(own_set("existing"), "Examples made for the baseline", "accuracy (points)"),
    ),
    Claim(
        "clean-accuracy",
        "Robust optimization improves the accuracy on the original test data.",
        f"Abstract; 99.09 baseline, 99.34 l_inf, 99.12 l_1, 99.29 l_2, comments in {CODE}. Those "
        "are single runs that differ in more than the rule: the three robust scripts normalize "
        "each batch in front of the first layer and train without a fixed end, the baseline's "
        "does neither (120 epochs).",
        f"The difference in clean test accuracy; here the four networks differ in the rule alone. "
        f"{ABOVE}",
        evidence=each_lies(clean),
        figure=figure(clean, "Accuracy without attack", "accuracy (points)"),
    ),
    Claim(
        "local-stability",
        "Robust optimization increases local stability: outputs change less near the data.",
        "Title and abstract. How to measure it is reconstructed.",
        "Total variation between the class probabilities at a test image and at the worst point "
        "that PGD found in the network's set, mean over images, minus that of the baseline. "
        "Confirmed if the 95% interval over seeds lies below 0 for all.",
        evidence=each_lies(own_set("change"), "below"),
        figure=figure(
            own_set("change"), "How far the probabilities move", "total variation (points)"
        ),
    ),
    Claim(
        "survives-pgd",
        "What is gained against one step is not lost against many.",
        "Not in the paper, which is older than the question: training against one step alone is "
        "known to be able to hide gradients from that step.",
        "Accuracy under PGD on the margin, in the network's own set, minus that of the baseline. "
        f"{ABOVE} The gap between one step and PGD is given beside it.",
        evidence=survives_pgd,
        figure=figure(
            own_set("pgd"),
            "Many steps instead of one",
            "accuracy under PGD (points)",
            attack="pgd",
        ),
        standing=Standing.ADDED,
    ),
)
