"""What is remembered of a meta kernel is what it answers."""

import operator

import torch
from torch._C import DispatchKey
from torch.func import jvp

from cases import each
from zero_tangents import OPERATIONS, remembering

ARGUMENTS = {
    "the same": lambda: (torch.empty(3, 2), torch.empty(3, 2)),
    "dtypes": lambda: (torch.empty(3, 2), torch.empty(3, 2, dtype=torch.complex128)),
    "no dimension": lambda: (torch.empty(3, 2), torch.empty((), dtype=torch.float64)),
    "broadcast": lambda: (torch.empty(3, 1), torch.empty(4, 1, 2)),
    "rows": lambda: (torch.empty(2, 3), torch.empty(2, 3)),
    "transposed": lambda: (torch.empty(3, 2).mT, torch.empty(3, 2).mT),
    "whole number": lambda: (torch.empty(3, 2, dtype=torch.int64), 2),
    "fraction": lambda: (torch.empty(3, 2, dtype=torch.int64), 2.5),
    "complex number": lambda: (torch.empty(3, 2), 2j),
}


@each("operation", OPERATIONS, ids=str)
def test_what_is_answered_again_is_the_answer_to_the_same_arguments(operation) -> None:
    kernel = operation.py_kernels[DispatchKey.Meta]
    asked = []
    meta = remembering(lambda *args: asked.append(args) or kernel(*args))
    with torch.device("meta"):
        table = {name: make() for name, make in ARGUMENTS.items()}
        expected = {name: kernel(*arguments) for name, arguments in table.items()}
        for _ in range(2):
            for name, arguments in table.items():
                result = meta(*arguments)
                assert result.is_meta
                assert (result.shape, result.dtype) == (expected[name].shape, expected[name].dtype)
                assert result.stride() == expected[name].stride(), name
    assert len(asked) == len(ARGUMENTS)


@each("op", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_constants_have_no_tangents(op) -> None:
    z, v = torch.randn(2, 3, 2, dtype=torch.complex128).unbind()
    for constant in (torch.full((2,), 2.0), torch.full((4, 1, 1), 2.0), torch.tensor(2.0)):
        value, tangent = jvp(lambda z, c=constant: op(z, c), (z,), (v,))
        torch.testing.assert_close(value, op(z, 2.0).expand_as(value))
        expected = v if op in (operator.add, operator.sub) else op(v, 2.0)
        torch.testing.assert_close(tangent, expected.expand_as(value))
