"""A tiny study that is real, once for all tests of the folder."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    import holonet.papers.deng2020.study as module
    from holonet.papers.deng2020 import Deng2020
    from holonet.papers.deng2020.measure import Size
    from holonet.studies.runner import reproduce

    size = Size(starts=4, cap=60, inputs=8, units=30, ball_units=20)
    folder: Path = tmp_path_factory.mktemp("deng")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", size)
        return reproduce(Deng2020(seeds=2), folder, quick=True)
