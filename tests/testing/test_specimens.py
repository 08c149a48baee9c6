"""Modules are looked at as copies, in every situation, at points inside of their domain."""

import pytest
import torch
from torch import nn as torch_nn

from holonet import nn
from holonet.domains import Disc
from holonet.errors import DomainError, InputTypeError
from holonet.functions import CATALOGUE
from holonet.testing.specimens import (
    brief,
    default_points,
    default_radius,
    lifted,
    name_of,
    radii_inside,
    random_lines,
    specimens,
)

Z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)


def test_a_function_has_one_situation_and_a_module_five():
    assert [s.situation for s in specimens(torch.sin, Z, perturb=True, seed=0)] == ["as it is"]
    network = nn.Linear(3, 2)
    found = {s.situation: s for s in specimens(network, Z, perturb=True, seed=0)}
    assert len(found) == 5
    for situation, specimen in found.items():
        assert specimen.module is not network
        assert specimen.module.training is ("in train mode" in situation)
        changed = not torch.equal(specimen.module.weight.to(torch.complex64), network.weight)
        assert changed is ("perturbed" in situation)
    assert len(list(specimens(network, Z, perturb=False, seed=0))) == 3
    assert len(list(specimens(nn.Sin(), Z, perturb=True, seed=0))) == 3  # nothing to perturb


def test_running_statistics_have_moved_where_it_is_said():
    module = torch_nn.BatchNorm1d(3)

    class Parts(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = module

        def forward(self, z):
            return torch.complex(self.norm(z.real), z.imag)

    found = {s.situation: s.module for s in specimens(Parts(), Z, perturb=True, seed=0)}
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
        for specimen in specimens(network, z, perturb=True, seed=seed):
            assert (specimen.module.margin(z) > 0).all()


def test_default_points_are_in_the_domain_and_of_the_right_shape():
    for record in CATALOGUE.values():
        z = default_points(record, None, 0)
        assert (record.clearance(z) > 0).all()
    assert default_points(nn.Linear(7, 2), None, 0).shape[1:] == (7,)
    assert (default_points(torch.sin, Disc(5, 1), 0) - 5).abs().max() < 1
    network = nn.Sequential(nn.Linear(4, 4), nn.Activation("tan"))
    assert (network.margin(default_points(network, None, 0).to(torch.complex64)) > 0).all()
    first, again = default_points(torch.sin, None, 3), default_points(torch.sin, None, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, default_points(torch.sin, None, 4))


def test_lines_are_of_unit_length_and_unequal_moduli():
    v = random_lines(Z, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=1), torch.ones(6).double())
    assert (v.abs().amax(1) > 1.1 * v.abs().amin(1)).all()


def test_radii_shrink_at_the_end_of_a_domain():
    (specimen,) = specimens(torch.sin, Z, perturb=True, seed=0)
    z = torch.tensor([0.0, 0.5, 0.9], dtype=torch.complex128)
    v = torch.ones_like(z)
    radii = radii_inside(specimen, Disc(), z, v, 1.0)
    assert (radii * 1.5 < 1 - z.real).all()
    assert (radii * 2 > 1 - z.real).all()
    assert (radii_inside(specimen, None, z, v, 1.0) == 1).all()
    with pytest.raises(DomainError, match="outside of the domain"):
        radii_inside(specimen, Disc(), z + 0.5, v, 1.0)


def test_small_things():
    assert name_of(torch.sin) == "sin"
    assert name_of(nn.Sin()) == "Sin"
    assert brief(Z[0]).count(",") == 2
    assert brief(Z[0, 0]) == f"{Z[0, 0].item():.4g}"
    assert default_radius(Z, None) == pytest.approx(
        0.5 * float(Z.norm(dim=1).square().mean().sqrt())
    )
    assert default_radius(0 * Z, None) == 0.5
    assert default_radius(Z, 2) == 2.0
    assert lifted(torch.ones(2)).dtype == torch.complex128
    with pytest.raises(InputTypeError):
        lifted(torch.ones(2, dtype=torch.int32))
