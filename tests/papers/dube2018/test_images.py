"""Resampled images, and fields with the same template at every resolution."""

from dataclasses import replace

import pytest
import torch

from cases import each
from holonet.data import load_dataset, load_digits
from holonet.errors import DataError
from holonet.papers.dube2018.images import (
    CONTRAST,
    EXPONENTS,
    SIGNAL,
    best_linear_distances,
    random_fields,
    resampled,
)


def test_resampled_images_keep_their_mean_and_their_labels() -> None:
    data = load_digits().subset(20, 10)
    fine = resampled(data, 32)
    assert fine.feature_shape == (1, 32, 32)
    assert torch.equal(fine.y_train, data.y_train)
    means = fine.x_train.mean((1, 2, 3)) - data.x_train.mean((1, 2, 3))
    assert means.abs().max() < 0.02
    torch.testing.assert_close(resampled(data, 8).x_test, data.x_test)


def test_data_that_are_no_square_images_are_refused() -> None:
    with pytest.raises(DataError, match="real square images"):
        resampled(load_dataset("rings"), 8)
    digits = load_digits().subset(4, 4)
    cut = replace(digits, x_train=digits.x_train[:, :, :4], x_test=digits.x_test[:, :, :4])
    with pytest.raises(DataError, match=r"\(1, 4, 8\)"):
        resampled(cut, 8)


def means(side: int, exponent: float, count: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean difference of the two classes, half of it, and all examples less their means."""
    data = random_fields(side, exponent, 0, count, 2)
    x, y = data.x_train[:, 0].double(), data.y_train
    template = (x[y == 1].mean(0) - x[y == 0].mean(0)) / 2
    return template, x - (2 * y - 1)[:, None, None] * template


@each("exponent", EXPONENTS.values())
def test_a_coarse_template_has_the_coefficients_of_a_fine_one(exponent: float) -> None:
    coarse, fine = (torch.fft.fft2(means(side, exponent)[0], norm="forward") for side in (8, 16))
    k = (torch.arange(-3, 4))[:, None], torch.arange(-3, 4)
    difference = torch.linalg.vector_norm(coarse[k] - fine[k])
    assert difference < 0.15 * torch.linalg.vector_norm(fine[k])


@each("exponent", EXPONENTS.values())
def test_noise_has_the_spectrum_and_the_contrast_at_side_32(exponent: float) -> None:
    _, noise = means(32, exponent, 1000)
    assert float(noise.std()) == pytest.approx(CONTRAST, rel=0.02)
    power = torch.fft.fft2(noise, norm="forward").abs().square().mean(0)
    assert float(power[0, 1] / power[0, 4]) == pytest.approx(4 ** (2 * exponent), rel=0.2)
    assert power[0, 0] < 1e-10


def test_every_frequency_tells_as_much() -> None:
    template, noise = means(16, 1.0)
    power = torch.fft.fft2(noise, norm="forward").abs().square().mean(0)
    signal = torch.fft.fft2(template, norm="forward").abs().square()
    inside = power > 1e-6
    ratio = (signal / power.clamp(min=1e-12))[inside].mean()
    assert float(ratio) == pytest.approx(SIGNAL**2, rel=0.2)


def test_the_best_linear_classifier_is_that_of_the_covariance() -> None:
    """Against C^-1 T with the covariance measured on 4000 fields, misclassified ones at 0."""
    template, noise = means(8, 1.0)
    flat = noise.flatten(1)
    covariance = flat.mT @ flat / len(flat)
    w = torch.linalg.pinv(covariance, rtol=1e-3, hermitian=True) @ template.flatten()
    data = random_fields(8, 1.0, 0, 2, 300)
    margins = (2 * data.y_test - 1) * (data.x_test.flatten(1).double() @ w)
    expected = margins.clamp(min=0) / torch.linalg.vector_norm(w)
    found = best_linear_distances(8, 1.0, 0, 300)
    assert float((found.double() - expected).abs().mean()) < 0.1 * float(expected.mean())
    assert (found == 0).any()


def test_seeds_draw_other_templates_and_the_same_ones_again() -> None:
    first, again, other = (random_fields(8, 1.0, seed, 10, 2).x_train for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
