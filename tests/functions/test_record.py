"""What a record derives from its fields."""

import copy
import dataclasses
import pickle

import pytest
import torch

from holonet.domains import Plane, PointSet, Ray, SlitPlane
from holonet.errors import InputTypeError
from holonet.functions import (
    CATALOGUE,
    FunctionClass,
    HolomorphicFunction,
    Singularity,
    SingularityKind,
    blaschke,
    moebius,
    polynomial,
)

ENTIRE = HolomorphicFunction("exp", "exp(z)", torch.exp, torch.exp, torch.exp, FunctionClass.ENTIRE)
CUT = dataclasses.replace(
    ENTIRE,
    singularities=(Singularity(PointSet((2j,)), SingularityKind.BRANCH_POINT),),
    branch_cuts=(Ray(2j, 1j),),
    base_point=-1 + 0j,
)


def test_calling_a_record_gives_the_value():
    z = torch.randn(3, dtype=torch.complex64)
    assert torch.equal(ENTIRE(z), torch.exp(z))


def test_at_real_numbers_a_record_is_the_real_function_or_the_real_part():
    x = torch.randn(3)
    assert torch.equal(ENTIRE(x), ENTIRE.value(x + 0j).real)
    assert ENTIRE(x.bfloat16()).dtype is torch.bfloat16
    known = dataclasses.replace(ENTIRE, real=lambda x: x + 7)
    assert torch.equal(known(x), x + 7)
    assert torch.equal(known(x + 0j), ENTIRE(x + 0j))
    with pytest.raises(InputTypeError, match=r"exp.*real tensor \(torch.float32, shape \(3,\)\)"):
        dataclasses.replace(known, real_on_real=False)(x)


def test_a_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ENTIRE.name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_without_obstacles_the_domain_is_the_plane():
    assert ENTIRE.obstacles == ()
    assert ENTIRE.domain == Plane()
    assert ENTIRE.clearance(torch.zeros(2, dtype=torch.complex64)).isinf().all()


def test_obstacles_are_singularities_then_cuts():
    assert CUT.obstacles == (PointSet((2j,)), Ray(2j, 1j))
    assert CUT.domain == SlitPlane(CUT.obstacles, -1 + 0j)
    torch.testing.assert_close(
        CUT.clearance(torch.tensor([0, 3 + 7j, 5j])), torch.tensor([2.0, 3.0, 0.0])
    )


def test_a_singularity_is_a_pole_unless_said_otherwise():
    assert Singularity(PointSet((0,))).kind is SingularityKind.POLE


def test_every_record_can_be_pickled_and_copied():
    families = (
        polynomial([0.3, 1, -2j]),
        polynomial([2]),
        moebius(1, 0, 0.5, 1),
        moebius(1j, 2, 0, 3),
        blaschke([0.5, -0.3j], phase=0.7),
    )
    z = torch.tensor([0.3 + 0.4j, -1.2 + 0.1j, 2 - 0.7j], dtype=torch.complex128)
    for record in (*CATALOGUE.values(), *families):
        for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
            assert twin == record
            for part in ("value", "derivative", "second_derivative"):
                assert torch.equal(getattr(twin, part)(z), getattr(record, part)(z))
