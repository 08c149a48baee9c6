"""Random numbers in a forward pass: the model would not be one function."""

from typing import Any

from torch.overrides import TorchFunctionMode

from holonet.continuation.operation import Refusal

__all__ = ["NoRandomness"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DROPOUT = _names(
    """
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout
    """
)
_RANDOM = _names(
    """
    rand randn randint randperm rand_like randn_like randint_like bernoulli bernoulli_ normal
    normal_ uniform_ multinomial poisson exponential_ random_ log_normal_ cauchy_ geometric_
    gumbel_softmax rrelu_with_noise
    """
)
"""What draws from a generator."""


class NoRandomness(TorchFunctionMode):
    """Refuse random numbers, drawn on tensors of the model alone too, in this thread."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").split(".")[0]
        draws = name in _RANDOM or (name in _DROPOUT and _is_in_train_mode(*args, **kwargs))
        if draws:
            raise Refusal(
                f"torch.{name} draws at every call, so the model is not one function. Call "
                "model.eval(), or draw in front of the model",
                holomorphic=True,
            )
        return func(*args, **kwargs)


def _is_in_train_mode(
    input: Any, p: float | int = 0.5, training: bool = True, inplace: bool = False
) -> bool:
    return training and p > 0
