"""What crosses the boundaries of modules is recorded in order, with its energy."""

import pytest
import torch
from torch import Tensor, nn

from holonet.diagnostics.boundaries import Boundary, Recorder, calls_of
from holonet.errors import NotHolomorphicError
from holonet.nn import Activation


def points(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.complex128, generator=generator)


def nested() -> nn.Module:
    return nn.Sequential(nn.Identity(), nn.Sequential(nn.Identity(), Activation("exp")))


def test_boundaries_are_in_the_order_of_execution() -> None:
    z, model = points(2, 3), nested()
    recorder = Recorder(model, model)
    rows = recorder(z, 8)
    assert [(b.path, b.entered) for b in recorder.boundaries] == [
        ("", True),
        ("0", True),
        ("0", False),
        ("1", True),
        ("1.0", True),
        ("1.0", False),
        ("1.1", True),
        ("1.1", False),
        ("1", False),
        ("", False),
    ]
    assert torch.equal(rows[0, :6], z.flatten())
    assert torch.equal(rows[7, :6], z.exp().flatten())
    assert not rows[:, 6:].any()
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


def test_calls_form_a_tree_and_are_numbered_by_path() -> None:
    names = ["", "a", "b", "/b", "/a", "a", "/a", "/"]
    boundaries = [Boundary(name.lstrip("/"), not name.startswith("/")) for name in names]
    root = calls_of(boundaries)
    assert (root.path, root.enter, root.leave) == ("", 0, 7)
    assert [(c.path, c.number, c.enter, c.leave) for c in root.children] == [
        ("a", 1, 1, 4),
        ("a", 2, 5, 6),
    ]
    assert [c.path for c in root.children[0].children] == ["b"]


def test_rows_of_many_numbers_keep_their_energy_and_what_is_holomorphic() -> None:
    z, model = points(50, 40), nested()
    recorder = Recorder(model, model)
    rows, doubled = recorder(z, 512), recorder(2 * z, 512)
    energy = float(z.abs().square().sum())
    assert float(rows[0].abs().square().sum()) == pytest.approx(energy, rel=0.3)
    assert torch.allclose(doubled[:3], 2 * rows[:3])


def test_the_reach_ends_at_the_first_layer_that_leaves_its_domain() -> None:
    model = nn.Sequential(Activation("exp"), Activation("log"), nn.Identity())
    recorder = Recorder(model, model)
    z = torch.zeros(1, 1, dtype=torch.complex128)  # in front of log is 1, with the clearance 1
    recorder(z, 4)
    assert recorder.reach(z, torch.full_like(z, 1e-3)) == len(recorder.boundaries)
    assert recorder.boundaries[recorder.reach(z, torch.full_like(z, 3.0))] == Boundary("1", True)


def test_other_modules_at_other_points_are_refused() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Identity(), nn.Identity()

        def forward(self, z: Tensor) -> Tensor:
            return self.a(z) if float(z.real.sum()) > 0 else self.b(z)

    model = Forked()
    recorder = Recorder(model, model)
    recorder(torch.ones(1, 1, dtype=torch.complex128), 4)
    with pytest.raises(NotHolomorphicError, match="calls other modules at other points"):
        recorder(-torch.ones(1, 1, dtype=torch.complex128), 4)
