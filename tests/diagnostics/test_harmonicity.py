"""Known answers of harmonicity: polynomials, kinks, holomorphic classifiers in both coordinates."""

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import Harmonicity, harmonicity
from holonet.errors import ConfigError, DataError, InputTypeError, ShapeError
from holonet.nn import holomorphic_mlp

RADII = (0.05, 0.3)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gelu_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Dropout(), nn.Linear(12, 3))


def look(model, x: Tensor, **options) -> Harmonicity:
    return harmonicity(model, x, **({"radii": RADII, "count": 8, "baseline": None} | options))


def test_a_harmonic_polynomial_reads_as_harmonic() -> None:
    found = look(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2 + 5 * x[:, 1], normal(8, 2))
    assert found.is_harmonic
    assert not found.is_affine
    assert float(found.defect.value.max()) == 0
    assert all(abs(s.share) < 1e-12 for s in found.summary)
    assert all(s.extremes.estimate == 0 for s in found.summary)
    assert "no violation of harmonicity found" in str(found)


@each("n", [3, 20])
def test_the_square_of_the_distance_has_the_laplacian_2n(n: int) -> None:
    found = look(lambda x: x.square().sum(1), normal(8, n))
    assert found.laplacian.value == pytest.approx(2.0 * n, abs=1e-9)
    assert found.exact is (n == 3)
    error = 6 * found.defect.standard_error + 1e-9
    assert bool((found.defect.value - 1).abs().le(error).all())
    assert found.share.value == pytest.approx(1.0, abs=1e-6)
    assert not found.is_harmonic


def test_a_small_defect_has_the_right_size() -> None:
    def u(x: Tensor) -> Tensor:
        return x[:, 0] ** 2 - x[:, 1] ** 2 + 1e-3 * x.square().sum(1)

    found = look(u, normal(30, 2), count=40)
    assert found.defect.value == pytest.approx(1e-3, rel=1e-3)
    for summary in found.summary:  # gap 1e-3 r^2, mean square r^4 (1/2 + 1e-6)
        error = 6 * summary.standard_error
        assert summary.share == pytest.approx(2e-6, abs=error)
        assert error < 1e-6
    assert not found.is_harmonic


def test_an_affine_function_has_no_share() -> None:
    found = look(lambda x: 3 * x[:, 0] - x[:, 1] + 2, normal(8, 2))
    assert found.is_affine
    assert found.is_harmonic
    assert all(s.share != s.share for s in found.summary)
    assert "affine to rounding, so harmonic" in str(found)
    assert found.to_json()["summary"][0]["share"] is None


def test_the_laplacian_flatters_a_relu_network_and_the_gap_does_not() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    found = look(model, normal(20, 2), radii=(0.2, 0.6), count=16)
    assert float(found.laplacian.value.abs().max()) == 0
    assert not found.laplacians_found.any()
    assert found.gaps_found.any()
    assert found.is_flattered
    assert not found.is_harmonic
    assert found.summary[1].share > 0.1
    assert "the function has kinks" in str(found)


@each("outputs", ["logits", "margins"])
def test_a_holomorphic_classifier_is_pluriharmonic_in_complex_coordinates_alone(
    outputs: str,
) -> None:
    model = holomorphic_mlp(5, [6], 3, generator=torch.Generator().manual_seed(0))
    x = torch.rand(6, 5)
    on_complex = look(model, x, outputs=outputs, coordinates="complex")
    assert on_complex.dimensions == 10
    assert on_complex.is_harmonic
    assert float(on_complex.mixed_share.value.max()) < 1e-20
    on_real = look(model, x, outputs=outputs)
    assert on_real.dimensions == 5
    assert on_real.mixed_share is None
    assert not on_real.is_harmonic
    assert "over the 5 real coordinates of real data" in str(on_real)
    lifted = look(model, x + 0j, outputs=outputs)  # real parts of complex examples vary
    torch.testing.assert_close(lifted.gap.value, on_real.gap.value)


def test_margins_are_differences_of_logits_with_the_rival_held_fixed() -> None:
    def logits(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] ** 2 + 10, x[:, 1] ** 2, -9 + x[:, 0]], 1)

    x = normal(4, 2)
    found = look(logits, x, outputs="margins", y=torch.tensor([0, 0, 1, 2]))
    expected = torch.tensor([0.0, 0.0, 0.0, -2.0], dtype=torch.float64)
    torch.testing.assert_close(found.laplacian.value[:, 0], expected)
    answered = look(logits, x, outputs="margins")
    torch.testing.assert_close(answered.laplacian.value[:2], found.laplacian.value[:2])


def test_the_untrained_twin_stands_beside_a_trained_model() -> None:
    model = gelu_network().train()
    with torch.no_grad():
        model[0].weight.mul_(6)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    calls: list[int] = []
    found = look(
        model, normal(20, 6), baseline="untrained", on_batch=lambda: calls.append(1), seed=1
    )
    assert len(calls) == 4  # two groups of examples, for both
    assert (found.baseline_name, found.kept) == ("untrained", ())
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not torch.equal(found.baseline.gap.value, found.gap.value)
    assert "beside the untrained model" in str(found)
    assert "that is one initialization" in str(found)
    given = look(model, normal(20, 6), baseline=model, seed=1)
    assert torch.equal(given.baseline.gap.value, given.gap.value)
    assert "no difference beyond the intervals" in str(given)


def test_numbers_do_not_depend_on_the_chunk_and_do_on_the_seed() -> None:
    model, x = gelu_network(), normal(18, 6, dtype=torch.float32)
    first, small, other = (
        look(model, x, chunk=chunk, seed=seed) for chunk, seed in ((1024, 0), (7, 0), (1024, 1))
    )
    torch.testing.assert_close(first.gap.value, small.gap.value, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(first.laplacian.value, small.laplacian.value)
    assert not torch.equal(first.gap.value, other.gap.value)


def test_an_extreme_value_inside_is_seen() -> None:
    x = torch.zeros(2, 3, dtype=torch.float64)
    x[1] = 5.0
    found = look(lambda x: -x.square().sum(1), x, radii=(0.1, 0.2))
    assert found.extreme_inside[:, :, 0].tolist() == [[True, False], [True, False]]
    assert found.summary[0].extremes.estimate == 0.5


def test_default_radii_follow_the_spread_of_the_data() -> None:
    x = 100 + 2 * normal(8, 3)
    found = harmonicity(lambda x: x.sin(), x, count=3)
    spread = float((x - x.mean(0)).square().sum(1).mean().sqrt())
    assert found.radii == pytest.approx([f * spread for f in (0.01, 0.03, 0.1, 0.3)])
    with pytest.raises(ConfigError, match="give radii"):
        harmonicity(lambda x: x.sin(), torch.zeros(1, 3, dtype=torch.float64))


def test_bad_input_is_refused_in_words() -> None:
    x = normal(3, 6)
    with pytest.raises(DataError, match="0 examples"):
        look(gelu_network(), x[:0])
    with pytest.raises(InputTypeError, match="complex values"):
        look(lambda x: torch.complex(x, x), x)
    with pytest.raises(InputTypeError, match="takes no complex points"):
        look(gelu_network(), x, coordinates="complex")
    with pytest.raises(ShapeError, match="at least 2 classes"):
        look(lambda x: x.sum(1), x, outputs="margins", y=torch.zeros(3, dtype=torch.long))
    with pytest.raises(ConfigError, match="must increase"):
        look(gelu_network(), x, radii=(0.2, 0.1))
