"""Margins bounded by auto_LiRPA, which shares no code with `holonet.certify`."""

import logging
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn

from holonet._arguments import checked
from holonet._named_object import first_sentence
from holonet._optional import NoExtraError, is_installed
from holonet._types import GivenLabels, GivenPoints, Logits
from holonet.attacks import ThreatModel
from holonet.attacks.objectives import logits_of, require_examples
from holonet.errors import (
    ConfigError,
    InputTypeError,
    UnknownNameError,
)
from holonet.interop.real import to_real
from holonet.nn.modes import evaluating
from holonet.ops import use

__all__ = ["LIRPA_METHODS", "lirpa_margins"]

LIRPA_METHODS = ("IBP", "CROWN", "alpha-CROWN")
"""Of auto_LiRPA, from the cheapest to the sharpest."""


@checked
def lirpa_margins(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    method: str = "CROWN",
) -> Logits:
    """Lower bounds of the margins z_y - z_k on the threat set, by auto_LiRPA.

    It bounds the real form of the network (`to_real`) on the CPU in single precision, and does not
    round outward. For Linf, monotone layers in front are left to `ThreatModel.image`, which is
    exact.

    Args:
        model: real inputs to real logits.
        x: examples, inside of the bounds of the threat.
        y: their classes.
        threat: of norm Linf, cut with the bounds of the data, or L2, which is not cut.
        method: one of `LIRPA_METHODS`.

    Returns:
        A bound for each class k, infinite where k is y: an example is certified where all are
        positive.

    Law: no point of the set has a smaller margin, but for rounding.

    Raises:
        ConfigError: another norm.
        DomainError: an example outside of the bounds of the data, or a class that the model does
            not have.
        InputTypeError: a layer without a real form, or an operation that auto_LiRPA does not bound
            by this method; the message has its name.
        MissingDependencyError: auto_LiRPA is not installed, or does not import here.
        ShapeError: the logits are not (batch, classes), or there is not one label for each.
        UnknownNameError: no such method.

    References:
        Xu et al. (2020), Automatic perturbation analysis; Xu et al. (2021) for alpha-CROWN.
    """
    if method not in LIRPA_METHODS:
        raise UnknownNameError("method of auto_LiRPA", method, LIRPA_METHODS)
    if threat.norm not in ("Linf", "L2"):
        raise ConfigError(f"lirpa_margins under {threat}: choose the norm 'Linf' or 'L2'")
    require_examples(x, y, threat)
    library = _library()
    x, y = x.detach(), y.long()
    with evaluating(model), torch.no_grad():
        classes = logits_of(model, x, y).shape[1]
        layers, body = threat.front(model)
        if threat.norm == "L2":
            center, ball = _single(x), {"norm": 2, "eps": threat.eps}
        else:
            box = threat.image(layers, x)
            center = _single(box.center)
            ball = {"norm": math.inf, "x_L": _single(box.low), "x_U": _single(box.high)}
    if not len(x):
        return torch.empty(0, classes)
    form = to_real(cast(nn.Module, body)).body.float().cpu().requires_grad_(False)
    y, identity = y.cpu(), torch.eye(classes)
    region = library.BoundedTensor(center, library.PerturbationLpNorm(**ball))
    with use("reference"), torch.set_grad_enabled(method == "alpha-CROWN"), _named_refusals(method):
        bounded = library.BoundedModule(form, center, bound_opts={"conv_mode": "matrix"})
        differences = identity[y][:, None] - identity
        low, _ = bounded.compute_bounds(
            x=(region,), C=differences, method=method, bound_upper=False
        )
    low = low.detach().masked_fill(low.isnan(), -math.inf)
    return low.scatter(1, y[:, None], math.inf)


def _single(x: Any) -> Any:
    return x.float().cpu()


def _library() -> Any:
    """The package, imported without a change to how this process logs."""
    if not is_installed("auto_LiRPA"):
        raise _missing("is not installed")
    root = logging.getLogger()
    handlers = root.handlers[:]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import auto_LiRPA  # pyright: ignore[reportMissingImports]
    except Exception as error:  # of any kind: an old version meets a torch that it does not know
        raise _missing(f"does not import here ({first_sentence(error)})") from error
    finally:
        root.handlers[:] = handlers
    return auto_LiRPA


@contextmanager
def _named_refusals(method: str) -> Iterator[None]:
    """What auto_LiRPA fails at, by name; without its log lines and warnings.

    It sets a bias that overflows to 0, with a warning, which is no bound: that is a failure too.
    """
    from auto_LiRPA.bound_general import logger  # pyright: ignore[reportMissingImports]

    unknown: dict[str, None] = {}

    def note(record: logging.LogRecord) -> bool:
        unknown.update(dict.fromkeys(re.findall(r"Name: (\S+),", record.getMessage())))
        return False

    logger.addFilter(note)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", "There is an inf value")
            yield
    except Exception as error:  # of any kind: operations that it knows in part fail anyhow
        reason = ", ".join(unknown) or first_sentence(error).rstrip(".")
        raise InputTypeError(
            f"auto_LiRPA does not bound this network by {method}: {reason}. Take another method, "
            "or other layers"
        ) from error
    finally:
        logger.removeFilter(note)


def _missing(reason: str) -> NoExtraError:
    return NoExtraError(
        f"lirpa_margins needs auto_LiRPA, which {reason}: install the version of its repository, "
        "github.com/Verified-Intelligence/auto_LiRPA; 0.3 of the package index is for torch before "
        "1.13"
    )
