"""Ready networks: holomorphic and real ones of one form, and sizes that match."""

from holonet.nn.models.convolutional import holomorphic_convnet, real_convnet
from holonet.nn.models.counts import macs, real_parameter_count
from holonet.nn.models.matched_widths import matched_widths
from holonet.nn.models.perceptrons import holomorphic_mlp, real_mlp

__all__ = [
    "holomorphic_convnet",
    "holomorphic_mlp",
    "macs",
    "matched_widths",
    "real_convnet",
    "real_mlp",
    "real_parameter_count",
]
