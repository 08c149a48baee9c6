"""RNN, LSTM and GRU, step by step by their formulas."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from holonet.continuation.linear import affine
from holonet.continuation.operation import Family, Refusal
from holonet.continuation.pointwise import sigmoid, tanh

__all__ = ["RECURRENT"]

RECURRENT = Family("Recurrent layers")

_CELL = "h' = tanh(W x + U h + b)"
_POLES = "poles of sigmoid and tanh at each step"

State = tuple[Tensor, ...]
Weights = Sequence[Any]


def _map(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Affine at complex or real x."""
    return (
        affine(x, weight, bias) if x.is_complex() else torch.nn.functional.linear(x, weight, bias)
    )


def _rnn(gates: Tensor, state: State, weights: Weights) -> State:
    return (tanh(gates + _map(state[0], weights[1], weights[3])),)


def _gru(gates: Tensor, state: State, weights: Weights) -> State:
    (h,) = state
    reset, update, new = gates.chunk(3, -1)
    by_state = _map(h, weights[1], weights[3]).chunk(3, -1)
    r, u = sigmoid(reset + by_state[0]), sigmoid(update + by_state[1])
    n = tanh(new + r * by_state[2])
    return (n + u * (h - n),)


def _lstm(gates: Tensor, state: State, weights: Weights) -> State:
    h, c = state
    i, f, g, o = (gates + _map(h, weights[1], weights[3])).chunk(4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if weights[4] is None else _map(h, weights[4], None)), c


Step = Callable[[Tensor, State, Weights], State]


def _enter_cell(name: str, step: Step, formula: str) -> None:
    def rule(
        func: Any,
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Any = None,
        b_hh: Any = None,
    ) -> Any:
        state = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
        weights = (w_ih, w_hh, b_ih, b_hh, None)
        new = step(_complex(_map(input, w_ih, b_ih), *state), state, weights)
        return new if isinstance(hx, tuple | list) else new[0]

    RECURRENT.enter(name, formula, _POLES, rule)


def _complex(gates: Tensor, *state: Tensor) -> Tensor:
    """The gates in the complex dtype: the input, or the state alone, may be continued."""
    dtype = next(t.dtype for t in (gates, *state) if t.is_complex())
    return gates.to(dtype)


def _enter_layer(name: str, step: Step, formula: str) -> None:
    def rule(func: Any, *args: Any) -> Any:
        if isinstance(args[3], Tensor | list | tuple) and not isinstance(args[2], list | tuple):
            raise Refusal(
                f"torch.{name} of a packed sequence has no rule. Give padded tensors, or one "
                "sequence at a time",
                holomorphic=True,
            )
        return _layers(step, *args)

    RECURRENT.enter(name, formula, _POLES, rule)


def _layers(
    step: Step,
    input: Tensor,
    hx: Any,
    flat_weights: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    if dropout > 0 and train and num_layers > 1:
        raise Refusal(
            "a recurrent layer with dropout draws at every pass in train mode. Call model.eval() "
            "first",
            holomorphic=True,
        )
    states = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
    directions = 2 if bidirectional else 1
    each = len(flat_weights) // (num_layers * directions)
    x = input.transpose(0, 1) if batch_first else input
    finals: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            at = layer * directions + direction
            weights = _named(flat_weights[at * each : (at + 1) * each], has_biases)
            start = tuple(s[at] for s in states)
            run, final = _sequence(step, x, start, weights, backwards=direction == 1)
            outputs.append(run)
            finals.append(final)
        x = torch.cat(outputs, -1)
    out = x.transpose(0, 1) if batch_first else x
    return (out, *(torch.stack(one) for one in zip(*finals, strict=True)))


def _named(weights: Sequence[Tensor], has_biases: bool) -> Weights:
    """(W, U, b, c, projection) as the steps take them."""
    count = 4 if has_biases else 2
    biases = weights[2:4] if has_biases else (None, None)
    projection = weights[count] if len(weights) > count else None
    return (*weights[:2], *biases, projection)


def _sequence(
    step: Step, x: Tensor, state: State, weights: Weights, *, backwards: bool
) -> tuple[Tensor, State]:
    gates = _complex(_map(x, weights[0], weights[2]), *state)
    outputs = []
    for at in reversed(range(len(gates))) if backwards else range(len(gates)):
        state = step(gates[at], state, weights)
        outputs.append(state[0])
    return torch.stack(outputs[::-1] if backwards else outputs), state


for _suffix, _step, _formula in (
    ("rnn_tanh", _rnn, _CELL),
    ("gru", _gru, "h' = n + u (h - n), n = tanh(W x + b + r (U h + c)), r and u by sigmoid"),
    ("lstm", _lstm, "c' = f c + i g, h' = o tanh(c'), gates i, f, o by sigmoid, g by tanh"),
):
    _enter_layer(_suffix, _step, _formula)
    _enter_cell(f"{_suffix}_cell", _step, _formula)
