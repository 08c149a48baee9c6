"""Every case runs, and its contenders do the same work."""

import pytest
import torch

from holonet.experiments.bench import suites
from holonet.experiments.bench.suites import SUITES


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(suites, "LARGE", 40)
    monkeypatch.setattr(suites, "SIZES", (8, 40))
    monkeypatch.setattr(suites, "BATCH", 4)
    monkeypatch.setattr(suites, "compilers", dict)


@pytest.mark.parametrize("quick", [True, False])
def test_entrywise_contenders_agree(quick):
    cases = list(SUITES["pointwise"](quick))
    assert len(cases) == (1 if quick else 2) * 2 * len(suites.ACTIVATIONS)
    for case in cases:
        ours, torchs = (case.contenders[who]() for who in ("holonet", "torch"))
        if isinstance(ours, tuple):
            ours, torchs = ours[0], torchs[0]
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)
        for floor in case.floors.values():
            floor()


def test_steps_train_and_rules_run():
    for suite in ("step", "rules"):
        for case in SUITES[suite](True):
            for run in (*case.contenders.values(), *case.floors.values()):
                run()
