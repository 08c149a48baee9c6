"""What stands in for torch's layers that are not holomorphic, or why nothing does."""

from holonet.functions.not_holomorphic import NOT_IN_THE_CATALOGUE, alike

__all__ = ["WAYS_OUT", "way_out_for"]

_STATISTICS = (
    "divides by statistics of its input, which depend on moduli and conjugates: nn.FrozenNorm "
    "measures them once and is affine ever after"
)
_MAXIMUM = (
    "compares, and complex numbers have no order: a maximum by modulus is piecewise. nn.AvgPool1d, "
    "2d and 3d of holonet are linear"
)
_RANDOM = (
    "draws at every pass in train mode, so it is not one function, and does nothing in eval mode: "
    "take it out"
)
_RECURRENT = (
    "computes with real numbers only: build it from nn.Linear, nn.Product and holomorphic "
    "activations such as nn.Tanh"
)
_ATTENTION = (
    "weights by a softmax, which has poles at complex points: nn.Product multiplies branches, "
    "which is holomorphic"
)
_LAZY = "is no layer before its first batch: give nn.Linear, nn.Conv1d or nn.Conv2d its sizes"
_REAL = "computes with real numbers only"
_POOL = f"{_REAL}: nn.{{}} of holonet is linear and takes complex ones"
_TWIN = "is, at its defaults, nn.{}() of holonet, which knows where that is holomorphic: use it"
_MODULI = "takes moduli, which no holomorphic layer does; nn.AvgPool1d, 2d and 3d are linear"
_NOTHING = (
    "computes nothing by itself: put the layers in nn.Sequential, nn.Residual or nn.Product, or "
    "derive from nn.HolomorphicModule"
)

_TWINS = "Tanh Sigmoid SiLU GELU Softplus"
_POOLS = "AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d"
_ACTIVATIONS = (
    "ReLU ReLU6 LeakyReLU PReLU RReLU ELU CELU SELU Hardtanh Hardsigmoid Hardswish Hardshrink "
    "Softshrink Threshold Softsign Softmax Softmin LogSoftmax Mish Tanhshrink LogSigmoid GLU"
)


WAYS_OUT: dict[str, str] = {
    **{name: NOT_IN_THE_CATALOGUE[name.lower()] for name in _ACTIVATIONS.split()},
    **alike("Softmax2d AdaptiveLogSoftmaxWithLoss", NOT_IN_THE_CATALOGUE["softmax"]),
    **{name: _TWIN.format(name) for name in _TWINS.split()},
    **{name: _POOL.format(name) for name in _POOLS.split()},
    **alike("BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm", _STATISTICS),
    **alike("InstanceNorm1d InstanceNorm2d InstanceNorm3d", _STATISTICS),
    **alike("LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d", _STATISTICS),
    **alike("LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d", _STATISTICS),
    **alike("LayerNorm GroupNorm RMSNorm LocalResponseNorm CrossMapLRN2d", _STATISTICS),
    **alike("MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d", _MAXIMUM),
    **alike("AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d", _MAXIMUM),
    **alike("FractionalMaxPool2d FractionalMaxPool3d", _MAXIMUM),
    **alike("MagMaxPool1d MagMaxPool2d MagMaxPool3d", _MAXIMUM),
    **alike("LPPool1d LPPool2d LPPool3d CosineSimilarity PairwiseDistance", _MODULI),
    **alike("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout", _RANDOM),
    **alike("RNN LSTM GRU RNNBase RNNCell LSTMCell GRUCell RNNCellBase", _RECURRENT),
    **alike("MultiheadAttention Transformer TransformerEncoder TransformerDecoder", _ATTENTION),
    **alike("TransformerEncoderLayer TransformerDecoderLayer", _ATTENTION),
    **alike(
        "Embedding EmbeddingBag",
        "looks up integers: apply it in front of the network, which takes complex numbers",
    ),
    "Bilinear": "takes two inputs: nn.Product multiplies branches of one input",
    **alike("Upsample UpsamplingBilinear2d UpsamplingNearest2d", _REAL),
    **alike("LazyLinear LazyConv1d LazyConv2d LazyConv3d", _LAZY),
    **alike("LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d", _LAZY),
    "DataParallel": "is a wrapper that is not looked into: give the module inside",
    **alike("Module ModuleList ModuleDict ParameterList ParameterDict Container", _NOTHING),
}
"""Name of a layer of torch or complextorch -> why it is not declared, and what stands in.

Losses are answered alike, by their common base."""

_LOSS = "is a loss: apply it to the logits behind the readout, outside of the network"
_PACKAGES = ("torch", "complextorch")


def way_out_for(kind: type) -> str:
    """What is to be said, behind its name, of a layer that is not holomorphic or not declared.

    Subclasses of torch's layers are answered as these are; empty for all others.

    Example:
        >>> from torch import nn
        >>> way_out_for(nn.LSTM)[:31]
        'computes with real numbers only'
        >>> way_out_for(nn.Linear)
        ''
    """
    for base in kind.__mro__:
        if base.__module__.split(".")[0] not in _PACKAGES or base.__name__ == "Module":
            continue
        if base.__module__ == "torch.nn.modules.loss":
            return _LOSS
        if base.__name__ in WAYS_OUT:
            return WAYS_OUT[base.__name__]
    return ""
