"""Names of activations that no record can have, and what to use in their place."""

__all__ = ["NOT_IN_THE_CATALOGUE", "alike"]

_RELATIVES = "'gelu', 'silu' and 'softplus' are smooth relatives that are holomorphic"
_BRANCHES = f"is not holomorphic, it treats positive and negative numbers differently; {_RELATIVES}"
_PIECES = (
    "is not holomorphic, it is made of pieces; 'tanh', 'sigmoid' and 'silu' are not, and "
    f"{_RELATIVES}"
)
_MODULI = "is not holomorphic, it depends on |z|"
_PARTS = "is not holomorphic, it depends on |z| or takes the two parts apart"
_EXPONENTIALS = (
    "divides by a sum of exponentials over all entries; leave it to the loss behind the readout: "
    "cross_entropy takes logits"
)
_FORMULA = (
    "has no record; nn.Activation(symbolic.from_sympy(formula)) makes it of its formula, with its "
    "poles and cuts"
)


def alike(names: str, text: str) -> dict[str, str]:
    """The same text for several names.

    Example:
        >>> alike("relu elu", "is not holomorphic")
        {'relu': 'is not holomorphic', 'elu': 'is not holomorphic'}
    """
    return dict.fromkeys(names.split(), text)


NOT_IN_THE_CATALOGUE: dict[str, str] = {
    **alike("relu relu6 leaky_relu leakyrelu prelu rrelu elu celu selu", _BRANCHES),
    **alike("hardtanh hardsigmoid hardswish hardshrink softshrink threshold step sign", _PIECES),
    "softsign": f"{_MODULI}; 'tanh' is near to it on the real line",
    **alike("modrelu crelu zrelu cardioid", f"{_PARTS}; {_RELATIVES}"),
    **alike("abs modulus", f"{_MODULI}; nn.Modulus and nn.LogModulus may end a network"),
    **alike("real imag conj", f"{_PARTS}; nn.RealPart and nn.ImagPart may end a network"),
    **alike("softmax softmin log_softmax logsoftmax", _EXPONENTIALS),
    **alike("mish tanhshrink logsigmoid", _FORMULA),
    "glu": "is a product of two branches: nn.Product multiplies what nn.Sigmoid gates",
    "swish": "is called 'silu' here, as in torch",
    "logistic": "is called 'sigmoid' here, as in torch",
    "linear": "is called 'identity' here",
}
"""Name -> what is to be said of it, behind the name."""
