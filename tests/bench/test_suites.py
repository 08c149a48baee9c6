"""Every case runs, and its contenders do the same work."""

import itertools
import math

import pytest
import torch
from torch import nn

from holonet.bench import peak, suites
from holonet.bench.suites import SUITES
from holonet.nn import holomorphic_mlp
from holonet.regularizers import DirichletEnergy


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(suites, "LARGE", 40)
    monkeypatch.setattr(suites, "SIZES", (8, 40))
    monkeypatch.setattr(suites, "LAYERS", (64, (32, 32), 4))
    monkeypatch.setattr(suites, "SMALL", (3, (5, 5), 7))
    monkeypatch.setattr(suites, "last_level_cache", lambda: 1000)
    monkeypatch.setattr(suites, "compilers", dict)


@pytest.mark.parametrize("quick", [True, False])
def test_entrywise_contenders_agree(quick):
    streamed, cached = [], []
    for case in SUITES["pointwise"](quick):
        (streamed if case.name.endswith("from memory") else cached).append(case)
    assert len(cached) == (1 if quick else 2) * 2 * len(suites.ACTIVATIONS)
    assert len(streamed) == len(suites.ACTIVATIONS)
    for case in cached:
        ours, torchs = (case.contenders[who]() for who in ("holonet", "torch"))
        if isinstance(ours, tuple):
            ours, torchs = ours[0], torchs[0]
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)
        for bound in case.lower_bounds.values():
            bound()
    for case in streamed:
        assert set(case.contenders) == {"holonet", "torch"}
        for run in (*case.contenders.values(), *case.lower_bounds.values()):
            run()


def test_the_pool_is_four_caches():
    pool = suites._pool()
    assert len(pool) == math.ceil(4 * 1000 / pool[0].nbytes)
    assert len({z.data_ptr() for z in pool}) == len(pool)


def test_streaming_never_returns_to_a_buffer_before_all_others():
    pool, read, written = suites._pool(), [], []

    def copy(z):
        read.append(z.data_ptr())
        out = z.clone()
        written.append(out.data_ptr())
        return out

    one, other = suites._streamed([copy, copy], pool)
    for run in [one, other, other, one] * len(pool):
        run()
    for pointers in (read, written):
        for k in range(len(pointers) - len(pool)):
            assert len(set(pointers[k : k + len(pool)])) == len(pool)
    assert set(read) == {z.data_ptr() for z in pool}


@pytest.mark.parametrize("suite", ["step", "rules", "penalties"])
def test_steps_train_and_rules_run(suite):
    for case in SUITES[suite](True):
        for run in (*case.contenders.values(), *case.lower_bounds.values()):
            run()


@pytest.mark.parametrize("count", [1, pytest.param(None, marks=pytest.mark.slow)])
def test_compiled_baselines_train(monkeypatch, count):
    calls = []

    def wrapped(network):  # a function without parameters, as compilers may give
        return lambda x: calls.append(network) or network(x)

    monkeypatch.setattr(suites, "LAYERS", suites.SMALL)
    monkeypatch.setattr(suites, "compilers", lambda: {"compiled": wrapped})
    for case in itertools.islice(SUITES["step"](False), count):
        case.contenders["compiled"]()
        before = [p.detach().clone() for p in calls[-1].parameters()]
        case.contenders["compiled"]()
        assert all((a != b).any() for a, b in zip(before, calls[-1].parameters(), strict=True))


def test_penalized_steps_are_the_loss_and_the_penalty():
    model = holomorphic_mlp(6, [5], 3, activation="sin", dtype=torch.complex128)
    x, y = torch.rand(4, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    penalty = DirichletEnergy(count=None)
    found = suites._penalized(penalty, model, x, y)
    energy = penalty(model.holomorphic_map, x.to(torch.complex128))
    torch.testing.assert_close(found, nn.functional.cross_entropy(model(x), y) + energy)


def test_the_memory_suite_has_rules_and_penalties():
    for case in SUITES["memory"](True):
        assert {"analytic", "pgd", "LaplacianPenalty"} < set(case.contenders)
        analytic, standard = (
            peak(case.contenders["analytic"]),
            peak(case.lower_bounds["standard step"]),
        )
        assert analytic.activations > standard.activations
        assert analytic.whole >= standard.whole
