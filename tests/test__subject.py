"""Modules are checked as copies, in every variant, at points inside of their domain."""

import pytest
import torch
from torch import nn as torch_nn

from holonet import nn
from holonet._subject import Subject, brief, in_double, map_of, name_of, random_lines
from holonet.domains import Disc
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.functions import CATALOGUE

Z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)


def test_a_function_has_one_variant_and_a_module_five():
    assert [v.name for v in Subject(torch.sin, Z).variants(perturb=True)] == ["as it is"]
    network = nn.Linear(3, 2)
    found = {v.name: v for v in Subject(network, Z).variants(perturb=True)}
    assert len(found) == 5
    for name, variant in found.items():
        assert variant.module is not network
        assert variant.module.training is ("in train mode" in name)
        changed = not torch.equal(variant.module.weight.to(torch.complex64), network.weight)
        assert changed is ("perturbed" in name)
    assert len(list(Subject(network, Z).variants(perturb=False))) == 3
    assert len(list(Subject(nn.Sin(), Z).variants(perturb=True))) == 3  # nothing to perturb


def test_running_statistics_have_moved_where_it_is_said():
    module = torch_nn.BatchNorm1d(3)

    class Parts(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = module

        def forward(self, z):
            return torch.complex(self.norm(z.real), z.imag)

    found = {v.name: v.module for v in Subject(Parts(), Z).variants(perturb=True)}
    assert torch.equal(found["in eval mode"].norm.running_mean, torch.zeros(3).double())
    moved = found["in eval mode after training passes"].norm.running_mean
    assert moved.abs().max() > 0.1
    assert torch.equal(module.running_mean, torch.zeros(3))


def test_perturbations_stay_in_the_domain():
    layer = nn.Linear(1, 1, dtype=torch.complex128)
    with torch.no_grad():
        layer.weight.fill_(1e-3)
        layer.bias.fill_(0.004)
    network = nn.Sequential(layer, nn.Activation("log"))
    z = torch.zeros(3, 1, dtype=torch.complex128)
    for seed in range(20):
        for variant in Subject(network, z, seed=seed).variants(perturb=True):
            assert (variant.module.margin(z) > 0).all()


def test_default_points_are_in_the_domain_and_of_the_right_shape():
    for record in CATALOGUE.values():
        assert (record.clearance(Subject(record).z) > 0).all()
    assert Subject(nn.Linear(7, 2)).z.shape[1:] == (7,)
    assert (Subject(torch.sin, domain=Disc(5, 1)).z - 5).abs().max() < 1
    network = nn.Sequential(nn.Linear(4, 4), nn.Activation("tan"))
    assert (network.margin(Subject(network).z.to(torch.complex64)) > 0).all()
    first, again = Subject(torch.sin, seed=3).z, Subject(torch.sin, seed=3).z
    assert torch.equal(first, again)
    assert not torch.equal(first, Subject(torch.sin, seed=4).z)


def test_lines_are_of_unit_length_and_unequal_moduli():
    v = random_lines(Z, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=1), torch.ones(6).double())
    assert (v.abs().amax(1) > 1.1 * v.abs().amin(1)).all()


def test_radii_shrink_at_the_end_of_a_domain():
    z = torch.tensor([0.0, 0.5, 0.9], dtype=torch.complex128)
    v, subject = torch.ones_like(z), Subject(torch.sin, z, domain=Disc(), radius=1)
    (variant,) = subject.variants(perturb=True)
    radii = subject.radii(variant, v)
    assert (radii * 1.5 < 1 - z.real).all()
    assert (radii * 2 > 1 - z.real).all()
    assert (Subject(torch.sin, z).radii(variant, v, 1.0) == 1).all()
    with pytest.raises(DomainError, match="outside of the domain"):
        Subject(torch.sin, z + 0.5, domain=Disc()).radii(variant, v, 1.0)


def test_points_and_radius_in_double_precision() -> None:
    half_rms = 0.5 * float(Z.norm(dim=1).square().mean().sqrt())
    assert Subject(torch.sin, Z).radius == pytest.approx(half_rms)
    assert Subject(torch.sin, 0 * Z).radius == 0.5
    assert Subject(torch.sin, Z, radius=2).radius == 2.0
    for radius in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="positive finite radius"):
            Subject(torch.sin, Z, radius=radius)
    assert in_double(torch.ones(2)).dtype == torch.complex128
    assert in_double(torch.ones(2), lift=False).dtype == torch.float64
    assert in_double(Z.to(torch.complex64), lift=False).dtype == torch.complex128
    with pytest.raises(InputTypeError):
        in_double(torch.ones(2, dtype=torch.int32))
    with pytest.raises(DomainError, match="no points"):
        Subject(torch.sin, torch.zeros(0, 2))


def test_a_module_is_copied_once_for_each_variant_and_left_alone() -> None:
    class Counted(torch_nn.Linear):
        copies = 0

        def __deepcopy__(self, memo):
            Counted.copies += 1
            layer = Counted(3, 2, dtype=torch.cfloat)
            layer.load_state_dict({k: v.to(torch.cfloat) for k, v in self.state_dict().items()})
            return layer

    subject = Subject(Counted(3, 2, dtype=torch.cfloat), Z)
    assert Counted.copies == 1
    assert len(list(subject.variants(perturb=True))) == 5
    assert Counted.copies == 6


def test_a_module_of_real_points_is_refused_in_words() -> None:
    Subject(torch_nn.Linear(3, 2, dtype=torch.cfloat), Z).require_complex_input()
    Subject(torch.sin, Z).require_complex_input()
    with pytest.raises(InputTypeError, match="takes no complex points"):
        Subject(torch_nn.Linear(3, 2), Z).require_complex_input()
    Subject(nn.Linear(3, 2, dtype=torch.float32), Z).require_complex_input()


def test_names_and_points_in_messages() -> None:
    assert name_of(torch.sin) == "sin"
    assert name_of(nn.Sin()) == "Sin"
    assert brief(Z[0]).count(",") == 2
    assert brief(Z[0, 0]) == f"{Z[0, 0].item():.4g}"


def test_a_classifier_stands_for_the_map_in_front_of_its_readout() -> None:
    model = nn.holomorphic_mlp(3, (4,), 2)
    assert map_of(model) == model.holomorphic_map
    assert map_of(model.backbone) is model.backbone
