"""Shapes and dtypes, written once: jaxtyping aliases used in every signature."""

from collections.abc import Callable
from typing import Annotated

from jaxtyping import Bool, Complex, Float, Inexact, Int, Integer, Shaped
from torch import Tensor

__all__ = [
    "AnyTensor",
    "BoolTensor",
    "ComplexEntries",
    "ComplexPoints",
    "ComplexTensor",
    "Entries",
    "EntryMask",
    "GivenClasses",
    "GivenComplexPoints",
    "GivenEntries",
    "GivenLabels",
    "GivenNumber",
    "GivenPoints",
    "InexactEntries",
    "IntTensor",
    "Labels",
    "Logits",
    "Mask",
    "Numbers",
    "OwnShape",
    "Points",
    "RealEntries",
    "RealTensor",
    "Scalar",
    "TensorFunction",
    "Values",
]

ComplexTensor = Complex[Tensor, "..."]
"""complex64 or complex128, any shape."""

RealTensor = Float[Tensor, "..."]
"""A real floating dtype, any shape."""

AnyTensor = Inexact[Tensor, "..."]
"""Real floating or complex, any shape."""

Entries = Shaped[Tensor, "*shape"]
"""Numbers of any kind; all that a function takes and gives under this name have one shape."""

ComplexEntries = Complex[Tensor, "*shape"]
InexactEntries = Inexact[Tensor, "*shape"]
RealEntries = Float[Tensor, "*shape"]

BoolTensor = Bool[Tensor, "..."]
IntTensor = Int[Tensor, "..."]

Points = Inexact[Tensor, "batch *event"]
"""A batch of real or complex examples."""

ComplexPoints = Complex[Tensor, "batch *event"]
Values = Inexact[Tensor, "batch *out"]
"""What a function gives, one value for each example."""

Logits = Float[Tensor, "batch classes"]
Labels = Integer[Tensor, "batch"]
Numbers = Float[Tensor, "batch"]
"""One real number for each example."""

GivenPoints = Annotated[Tensor, Points]
"""What a user gives for `Points`: the function itself says what is wrong with its shape."""

GivenComplexPoints = Annotated[Tensor, ComplexPoints]
GivenEntries = Annotated[Tensor, InexactEntries]
GivenNumber = Annotated[Tensor, Shaped[Tensor, ""]]
GivenLabels = Annotated[Tensor, Labels]
GivenClasses = Annotated[IntTensor, Labels]

OwnShape = Shaped[Tensor, "*_shape"]
"""Each tensor of a collection has a shape of its own."""

Scalar = Float[Tensor, ""]

Mask = Bool[Tensor, "batch"]
EntryMask = Bool[Tensor, "batch *event"]
"""A choice of examples."""

TensorFunction = Callable[[Inexact[Tensor, "*shape"]], Inexact[Tensor, "*out"]]
"""A map between tensors; a `torch.nn.Module` is one."""
