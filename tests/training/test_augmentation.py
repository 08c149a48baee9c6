"""Images mirrored and moved at random."""

import pytest
import torch

from cases import each
from holonet.data import load_digits
from holonet.errors import ConfigError
from holonet.nn import holomorphic_convnet
from holonet.training import EmpiricalRisk, TrainConfig, fit
from holonet.training.augmentation import augmented


def images(count=200, height=16, width=8):
    """Every pixel has a number of its own."""
    numbers = torch.arange(2 * height * width).reshape(1, 2, height, width)
    return numbers.expand(count, -1, -1, -1).float()


def candidates(image, flips, shifts, pixels=None):
    """All that may come out."""
    most = (2, 1) if pixels is None else (pixels, pixels)
    for flip in (False, True) if flips else (False,):
        start = image.flip(2) if flip else image
        for down in range(-most[0], most[0] + 1) if shifts else (0,):
            for right in range(-most[1], most[1] + 1) if shifts else (0,):
                rows = (torch.arange(16) + down).clamp(0, 15)
                columns = (torch.arange(8) + right).clamp(0, 7)
                yield start[:, rows][:, :, columns]


@each("kind", ["flip", "shift", "flip-shift"])
def test_all_variants_come_out_and_nothing_else(kind):
    torch.manual_seed(0)
    x = images(600)
    variants = {v.numpy().tobytes() for v in candidates(x[0], "flip" in kind, "shift" in kind)}
    assert {image.numpy().tobytes() for image in augmented(x, kind)} == variants


@each("pixels", [1, 3])
def test_images_are_moved_by_as_many_pixels_as_are_given(pixels):
    torch.manual_seed(0)
    variants = {v.numpy().tobytes() for v in candidates(images(1)[0], False, True, pixels)}
    found = augmented(images(1000), "shift", pixels)
    assert {image.numpy().tobytes() for image in found} == variants


def test_the_number_of_pixels_is_a_setting_of_training():
    data = load_digits().subset(train=64, test=20)

    def trained(shift=None):
        torch.manual_seed(0)
        model = holomorphic_convnet((1, 8, 8), (2,), 10, coefficients="real")
        fit(model, data, EmpiricalRisk(), TrainConfig(epochs=1, augment="shift", shift=shift))
        return torch.nn.utils.parameters_to_vector(model.parameters())

    assert torch.equal(trained(), trained(shift=1))  # an eighth of 8 pixels
    assert not torch.equal(trained(), trained(shift=2))


def test_none_gives_the_examples_back():
    x = torch.rand(3, 7)
    assert augmented(x, "none") is x


def test_what_is_no_image_is_refused():
    with pytest.raises(ConfigError, match=r"train.augment='flip': examples of shape \(7,\)"):
        augmented(torch.rand(3, 7), "flip")


def test_a_run_that_was_killed_ends_with_the_same_weights(tmp_path):
    data = load_digits().subset(train=64, test=20)
    config = TrainConfig(epochs=3, batch_size=16, augment="flip-shift", checkpoint_every=5)

    def trained(folder, stop=None, resume=False):
        torch.manual_seed(0)
        model = holomorphic_convnet((1, 8, 8), (2,), 10, coefficients="real")

        def on_step(step):
            if step == stop:
                raise KeyboardInterrupt

        fit(model, data, EmpiricalRisk(), config, run_dir=folder, resume=resume, on_step=on_step)
        return torch.nn.utils.parameters_to_vector(model.parameters())

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", stop=7)
    assert torch.equal(trained(tmp_path / "killed", resume=True), whole)
    plain = TrainConfig(epochs=3, batch_size=16)
    torch.manual_seed(0)
    model = holomorphic_convnet((1, 8, 8), (2,), 10, coefficients="real")
    fit(model, data, EmpiricalRisk(), plain)
    assert not torch.equal(torch.nn.utils.parameters_to_vector(model.parameters()), whole)
