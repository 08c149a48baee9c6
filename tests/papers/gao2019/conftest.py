"""A tiny run of the whole study, for the tests of its evidence, figures and page."""

from dataclasses import replace

import pytest


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    import holonet.papers.gao2019.study as module
    from holonet.papers.gao2019.capacity import Fit
    from holonet.papers.gao2019.kernels import Kernels, kernels
    from holonet.papers.gao2019.study import QUICK, Gao2019
    from holonet.papers.gao2019.training import Training, train
    from holonet.papers.gao2019.two_balls import TwoBalls
    from holonet.studies.runner import reproduce

    tiny = replace(
        QUICK,
        kernel_widths=(8, 32),
        widths=(4, 16),
        steps=4,
        fit=Fit(steps=20, restarts=1, attack=2, starts=1),
        wide_fit=Fit(steps=20, restarts=1, attack=2, starts=1),
        examples=(4, 18),
        cap=4,
    )
    work = module.WORK | {
        Kernels: ("kernel", lambda s: kernels(replace(s, features=4, points=6, rank_points=12))),
        Training: ("training", lambda s: train(replace(s, starts=1))),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORK", work)
        patch.setattr(module, "QUICK", tiny)
        patch.setattr(module, "TwoBalls", lambda: TwoBalls(dimensions=(2, 3), starts=2))
        return reproduce(Gao2019(seeds=2), tmp_path_factory.mktemp("gao"), quick=True)
