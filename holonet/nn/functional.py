"""The catalogue's functions under their torch names, entry by entry on complex tensors."""

from holonet.functions import CATALOGUE

__all__ = [
    "asinh",
    "atan",
    "cos",
    "cosh",
    "erf",
    "exp",
    "gelu",
    "log",
    "reciprocal",
    "sigmoid",
    "silu",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "square",
    "tan",
    "tanh",
]

asinh = CATALOGUE["asinh"].value
atan = CATALOGUE["atan"].value
cos = CATALOGUE["cos"].value
cosh = CATALOGUE["cosh"].value
erf = CATALOGUE["erf"].value
exp = CATALOGUE["exp"].value
gelu = CATALOGUE["gelu"].value
log = CATALOGUE["log"].value
reciprocal = CATALOGUE["reciprocal"].value
sigmoid = CATALOGUE["sigmoid"].value
silu = CATALOGUE["silu"].value
sin = CATALOGUE["sin"].value
sinh = CATALOGUE["sinh"].value
softplus = CATALOGUE["softplus"].value
sqrt = CATALOGUE["sqrt"].value
square = CATALOGUE["square"].value
tan = CATALOGUE["tan"].value
tanh = CATALOGUE["tanh"].value
