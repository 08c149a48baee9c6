"""What a call of a torch function asks: its name, whether it works in place, its options."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from holonet.continuation.operation import Refusal

__all__ = [
    "CONSTANTS",
    "LOOKS",
    "OPERATORS",
    "RESHAPES_IN_PLACE",
    "UNSEEN",
    "VIEWS",
    "is_in_place",
    "name_of",
    "options",
    "out_of_place",
    "replaced",
]

UNSEEN = "its operations are not seen from Python"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LOOKS = _names(
    """
    shape dtype device layout ndim dim size numel nelement len hash element_size is_complex
    is_floating_point is_contiguous stride is_cuda is_cpu is_sparse is_nested is_meta is_conj is_neg
    get_device is_quantized is_leaf is_inference is_mkldnn is_mps is_xpu is_same_size repr format
    is_sparse_csr _has_symbolic_sizes_strides names is_signed is_shared is_pinned itemsize nbytes
    result_type
    """
)
"""What does not depend on the entries."""

VIEWS = _names(
    """
    getitem view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze permute
    transpose t T mT H mH adjoint swapaxes swapdims movedim moveaxis expand expand_as broadcast_to
    narrow select chunk split tensor_split unbind diagonal contiguous to data detach float double
    hsplit vsplit dsplit unfold broadcast_tensors atleast_1d atleast_2d atleast_3d type type_as
    real conj resolve_conj resolve_neg positive identity dropout dropout1d dropout2d dropout3d
    alpha_dropout feature_alpha_dropout feature_dropout meshgrid split_with_sizes
    """
)
"""What may share its memory with its input."""

CONSTANTS = _names(
    """
    zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_tensor
    """
)
OPERATORS = {
    "iadd": "add",
    "isub": "sub",
    "imul": "mul",
    "itruediv": "div",
    "idiv": "div",
    "ipow": "pow",
    "imatmul": "matmul",
    "setitem": "setitem",
}
_PYTHON_VALUES = _names("__float__ __int__ __bool__ __index__ __complex__")
RESHAPES_IN_PLACE = _names("squeeze unsqueeze t transpose swapaxes swapdims resize set")


def name_of(func: Any) -> str:
    """The function's name without surrounding underscores; the attribute's if it reads one."""
    if isinstance(func, torch._C.ScriptMethod):
        raise Refusal(
            f"a TorchScript module was called: {UNSEEN}. Give the Python model that "
            "it was made from",
            holomorphic=True,
        )
    if isinstance(func, OpOverload):
        return func._schema.name.split("::")[-1]
    name = getattr(func, "__name__", type(func).__name__)
    if name in _PYTHON_VALUES:
        return "item"
    if name in ("__get__", "__set__"):
        name = func.__self__.__name__ + ("=" if name == "__set__" else "")
    return name.strip("_") if name.startswith("__") else name.lstrip("_")


def is_in_place(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether the first argument is changed."""
    if kwargs.get("out") is not None:
        raise Refusal(
            f"torch.{name} with out=: the given tensor is real. Take the returned tensor",
            holomorphic=True,
        )
    asked = bool(kwargs.get("inplace")) or name in OPERATORS
    return asked or (name.endswith("_") and not name.endswith("__"))


def out_of_place(name: str, func: Any) -> Any:
    """The function that gives a new tensor."""
    return getattr(Tensor, name, None) or getattr(torch.nn.functional, name, func)


def options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The options by torch's names, without those that say how and not what."""
    silent = {"inplace", "out", "_stacklevel", "memory_format", "non_blocking"}
    names = {"axis": "dim", "keepdims": "keepdim"}
    return {names.get(k, k): v for k, v in kwargs.items() if k not in silent}


def replaced(arguments: Any, new: Callable[[Any], Any]) -> Any:
    """The arguments with a new leaf for each; torch's pytrees take ten times as long."""
    if isinstance(arguments, tuple | list):
        kind = list if isinstance(arguments, list) else tuple
        return kind([replaced(x, new) for x in arguments])
    if isinstance(arguments, dict):
        return {k: replaced(x, new) for k, x in arguments.items()}
    return new(arguments)
