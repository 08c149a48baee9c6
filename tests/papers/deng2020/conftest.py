"""A tiny study that is real, once for all tests of the folder."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    import holonet.papers.deng2020.study as module
    from holonet.papers.deng2020 import Deng2020
    from holonet.papers.deng2020.measure import Size
    from holonet.studies.runner import reproduce

    size = Size(starts=3, cap=15, inputs=4, units=12, ball_units=8)
    folder: Path = tmp_path_factory.mktemp("deng")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", size)
        return reproduce(Deng2020(seeds=2), folder, quick=True)
