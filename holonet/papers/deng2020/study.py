"""The study of Deng et al.: ascents on spheres, landscapes without a step, ascents in balls."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from holonet.papers.deng2020.claims import CLAIMS
from holonet.papers.deng2020.measure import Settings, Size, measure
from holonet.papers.deng2020.networks import NETS
from holonet.studies.claims import Claim
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study

__all__ = ["Deng2020"]

FULL = Size(starts=32, cap=2000)
QUICK = Size(starts=16, cap=500)


class Deng2020(Study):
    """Random two-layer networks and random inputs: neither data nor training are in it.

    The quick run has 5 seeds, 16 starts and a cap of 500 iterations, the full one 20, 32, 2000.

    References:
        Deng, He, Huang and Su (2020), reconstructed where the claims say so.
    """

    name: ClassVar[str] = "deng2020"
    title: ClassVar[str] = "Dynamics of first-order adversaries (Deng, He, Huang, Su 2020)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@inproceedings{deng2020, author={Deng, Zhun and He, Hangfeng and Huang, Jiaoyang and Su, "
        "Weijie}, title={Towards Understanding the Dynamics of the First-Order Adversaries}, "
        "eprint={2010.10650}, archivePrefix={arXiv}, year={2020}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "The steps (0.1), the tolerances, the cap, the scales and the ball of the last claim were "
        "chosen with five other networks of each kind in view, of the seeds 0 to 4; those measured "
        "have the seeds from 1000. Other steps are in the tables.",
        "All networks have random weights, the initial phase that the paper speaks of. What "
        "training does to the ascents, and how fast it converges itself, is not tested.",
        "A seed is a network, an input, a target and its starts. Starts of one network are not "
        "independent: intervals are over seeds, but for the maximum principle's. An interval "
        "without width means that all seeds gave one number; what all of 5 networks do, at least "
        "57% of networks do, of 20 networks 84% (Wilson, 95%). Student's interval of a share or a "
        "trend may leave its range.",
        "Iterations count to the first time that the tolerance is met. The second order is "
        "verified at the last point.",
        "A sine network with complex coefficients grows as exp of its input. At scale 20 its loss "
        "exceeds 1e50, and few of its maxima can be verified in double precision.",
        "Complex networks have as many units as real ones, hence twice the real parameters.",
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        """One for each seed, network and kind of measurement."""
        size = QUICK if quick else FULL
        return [
            Cell(f"{net}-{part}-seed{seed}", Settings(part, net, seed, size))
            for seed in range(self.seeds or (5 if quick else 20))
            for net in NETS
            for part in ("ascent", "landscape", "ball")
        ]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Measure."""
        return measure(cell.settings)
