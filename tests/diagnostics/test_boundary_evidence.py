"""What two witnesses say of every boundary of a network."""

import torch
from torch import Tensor, nn

from holonet._subject import random_lines
from holonet.diagnostics.boundaries import Recorder
from holonet.diagnostics.boundary_evidence import circle_evidence, derivative_evidence


class Mixed(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z + 0.5 * z.conj()


class Seam(nn.Module):
    """Holomorphic on both sides of a line in the values."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z.real > 0, z, 2 * z)


def network(layer: nn.Module) -> nn.Module:
    linear = nn.Linear(3, 3, dtype=torch.complex128)
    return nn.Sequential(linear, layer, nn.Linear(3, 2, dtype=torch.complex128)).requires_grad_(
        False
    )


def points() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(6, 3, generator=generator, dtype=torch.complex128)
    return z, random_lines(z, generator)


def test_the_derivative_is_bad_from_the_planted_layer_on() -> None:
    net = network(Mixed())
    z, v = points()
    evidence = derivative_evidence(recorder := Recorder(net, net), z, v, 1.0)
    places = [(boundary.path, boundary.entered) for boundary in recorder.boundaries]
    first = places.index(("1", False))
    assert evidence.bad.tolist() == [at >= first for at in range(len(places))]
    # every entry of (1, 1/2) has the ratio 1/2: defect (1/2) / (3/2), share (1/4) / (5/4)
    assert abs(float(evidence.share[first]) - 0.2) < 0.15
    assert evidence.looked == len(places)


def test_a_seam_between_pieces_is_seen_on_circles_alone() -> None:
    net = network(Seam())
    z, v = points()
    recorder = Recorder(net, net)
    assert not derivative_evidence(recorder, z, v, 1.0).bad.any()
    evidence = circle_evidence(recorder, z, v, 2.0, len(recorder.boundaries))
    places = [(boundary.path, boundary.entered) for boundary in recorder.boundaries]
    assert not evidence.bad[: places.index(("1", False))].any()
    assert evidence.bad[places.index(("1", False))]
    assert evidence.witness == "circle"
