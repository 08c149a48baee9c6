"""Attention, written out: softmax of complex scores."""

import math
from typing import Any

import torch
from torch import Tensor

from holonet.continuation.linear import affine, product
from holonet.continuation.operation import Family, Refusal
from holonet.continuation.statistics import softmax

__all__ = ["ATTENTION"]

ATTENTION = Family("Attention")

_POLES = "poles at the zeros of the sums of exponentials"


def _require_no_dropout(p: float, training: bool) -> None:
    if p > 0 and training:
        raise Refusal(
            "attention with dropout draws at every pass in train mode. Call model.eval() first",
            holomorphic=True,
        )


def _attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """The values averaged, and the weights."""
    scores = product(query * scale, key.mT)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype is torch.bool else scores + mask
    weights = softmax(scores, -1)
    return product(weights, value), weights


@ATTENTION("scaled_dot_product_attention", "softmax(Q K^T / sqrt d + mask) V, no conjugate", _POLES)
def _scaled_dot_product(
    func: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Any = None,
    dropout_p: float | int = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    _require_no_dropout(dropout_p, True)
    if is_causal:
        attn_mask = _causal(query.shape[-2], key.shape[-2], query.device)
    if enable_gqa:
        times_each = query.shape[-3] // key.shape[-3]
        key = key.repeat_interleave(times_each, -3)
        value = value.repeat_interleave(times_each, -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return _attend(query, key, value, attn_mask, scale)[0]


def _causal(rows: int, columns: int, device: Any) -> Tensor:
    return torch.ones(rows, columns, dtype=torch.bool, device=device).tril()


@ATTENTION(
    "multi_head_attention_forward",
    "the projections, attention of each head, the projection out",
    f"{_POLES}; the layers of torch.nn with it, their fast paths off",
)
def _multi_head(
    func: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    _require_no_dropout(dropout_p, training)
    if static_k is not None or static_v is not None or add_zero_attn or bias_k is not None:
        raise Refusal(
            "torch.multi_head_attention_forward with static keys, zero attention or biases of keys "
            "has no rule. Use scaled_dot_product_attention",
            holomorphic=True,
        )
    batched = query.ndim == 3
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    if use_separate_proj_weight:
        weights = q_proj_weight, k_proj_weight, v_proj_weight
    else:
        weights = in_proj_weight.chunk(3)
    biases = [None] * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    if query is key is value and not use_separate_proj_weight:
        projected = affine(query, in_proj_weight, in_proj_bias).chunk(3, -1)
    else:
        projected = [
            affine(x, w, b) if x.is_complex() else torch.nn.functional.linear(x, w, b)
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        ]
    depth = width // num_heads
    q, k, v = (
        x.reshape(x.shape[0], batch, num_heads, depth).permute(1, 2, 0, 3) for x in projected
    )
    mask = _mask(attn_mask, key_padding_mask, is_causal, q, k, num_heads)
    mean, shares = _attend(q, k, v, mask, 1 / math.sqrt(depth))
    mean = mean.permute(2, 0, 1, 3).reshape(length, batch, width)
    out = affine(mean, out_proj_weight, out_proj_bias)
    out = out if batched else out.squeeze(1)
    if not need_weights:
        return out, None
    shares = shares.mean(1) if average_attn_weights else shares
    return out, shares if batched else shares.squeeze(0)


def _mask(
    attn_mask: Any, padding: Any, is_causal: bool, q: Tensor, k: Tensor, heads: int
) -> Tensor | None:
    """The two masks of torch as numbers to add to the scores, (batch, heads, rows, columns)."""
    if is_causal and attn_mask is None:
        attn_mask = ~_causal(q.shape[-2], k.shape[-2], q.device)
    if attn_mask is not None:
        attn_mask = _added(attn_mask, q)
        if attn_mask.ndim == 3:  # one for each example and head
            attn_mask = attn_mask.reshape(-1, heads, *attn_mask.shape[-2:])
    if padding is None:
        return attn_mask
    padding = _added(padding, q)[:, None, None, :]
    return padding if attn_mask is None else attn_mask + padding


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """-inf where a mask of torch's layers is true; numbers as they are."""
    if mask.dtype is not torch.bool:
        return mask
    zeros = torch.zeros(mask.shape, dtype=like.dtype.to_real(), device=mask.device)
    return zeros.masked_fill(mask, -math.inf)
