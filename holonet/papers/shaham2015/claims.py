"""What Shaham, Yamada and Negahban (2015) claim, and what of it is reconstructed."""

from collections.abc import Callable

from holonet._page import Section, Table
from holonet.papers.shaham2015 import evidence as e
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Evidence
from holonet.studies.figures import interval_figure
from holonet.studies.results import Results

__all__ = ["CLAIMS"]

CODE = "the authors' public scripts (github.com/runopti/RobustTraining, read)"
ABOVE = "Confirmed if the 95% interval of the difference over seeds lies above 0 for all."

TRAINED, EXISTING = (e.each_lies(e.own_set(quantity)) for quantity in ("one_step", "existing"))
OTHER, CLEAN = e.each_lies(e.other_sets), e.each_lies(e.clean)
STABLE = e.each_lies(e.own_set("change"), "below")


def _figure(
    title: str,
    quantity: str,
    evidence: Callable[[Results], Evidence],
    table: Callable[[Results], Table] | None = None,
) -> Callable[[Results], Section]:
    caption = "Dots are means over seeds of paired differences (Student)."
    return interval_figure(title, f"{quantity}, minus the baseline's", evidence, caption, table)


CLAIMS = (
    Claim(
        "trained-attack",
        "Robust optimization makes it harder to generate new adversarial examples: accuracy under "
        "the one-step attack that a network was trained against rises.",
        f"Abstract; the steps and radii from {CODE}: l_inf 0.2, l_1 2, l_2 2.",
        "Each robust network minus the baseline of the same seed, both under the one-step attack "
        f"of the robust network's own set, computed for the attacked network itself. {ABOVE}",
        evidence=TRAINED,
        figure=_figure("The attack trained against", "accuracy (points)", TRAINED),
    ),
    Claim(
        "other-attacks",
        "It also rises under the one-step attacks of the other two sets.",
        "The comparison across sets is reconstructed: no table of the paper was at hand.",
        f"The six differences for a set that the network was not trained for. {ABOVE}",
        evidence=OTHER,
        figure=_figure(
            "The attacks of the other sets", "accuracy (points)", OTHER, e.accuracies("one_step")
        ),
        standing=Standing.RECONSTRUCTED,
    ),
    Claim(
        "existing-examples",
        "Robust optimization increases the robustness to existing adversarial examples.",
        "Abstract. Which examples are meant is reconstructed: those made for the baseline.",
        "One-step examples made for the baseline of the same seed in the robust network's set are "
        f"shown to both networks. {ABOVE}",
        evidence=EXISTING,
        figure=_figure("Examples made for the baseline", "accuracy (points)", EXISTING),
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
        evidence=CLEAN,
        figure=_figure("Accuracy without attack", "accuracy (points)", CLEAN),
    ),
    Claim(
        "local-stability",
        "Robust optimization increases local stability: outputs change less near the data.",
        "Title and abstract. How to measure it is reconstructed.",
        "Total variation between the class probabilities at a test image and at the worst point "
        "that PGD found in the network's set, mean over images, minus that of the baseline. "
        "Confirmed if the 95% interval over seeds lies below 0 for all.",
        evidence=STABLE,
        figure=_figure("How far the probabilities move", "total variation (points)", STABLE),
    ),
    Claim(
        "survives-pgd",
        "What is gained against one step is not lost against many.",
        "Not in the paper, which is older than the question: training against one step alone is "
        "known to be able to hide gradients from that step.",
        "Accuracy under PGD on the margin, in the network's own set, minus that of the baseline. "
        f"{ABOVE} The gap between one step and PGD is given beside it.",
        evidence=e.survives_pgd,
        figure=_figure(
            "Many steps instead of one",
            "accuracy under PGD (points)",
            e.survives_pgd,
            e.accuracies("pgd"),
        ),
        standing=Standing.ADDED,
    ),
)
