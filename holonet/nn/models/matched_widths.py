"""The widths that give a network of one kind the size of a network of another."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from holonet._arguments import checked
from holonet.errors import ConfigError
from holonet.nn.models.counts import real_parameter_count

__all__ = ["matched_widths"]

TOLERANCE = 1e-3  # relative; a twin of even proportions is preferred to one that is nearer still
NEARBY = (-2, -1, 0, 1, 2)  # what is tried for a width while the last one makes up for it


@checked
def matched_widths(
    target: int,
    widths: Sequence[int],
    build: Callable[[tuple[int, ...]], nn.Module],
    measure: Callable[[nn.Module], int] = real_parameter_count,
) -> tuple[int, ...]:
    """Widths, nearly proportional to those given, at which a network measures nearest to `target`.

    All widths are multiplied by one factor and rounded. Where that misses the target by more than
    a thousandth, each is moved by up to two units while the last one makes up for it, and single
    ones as long as that comes nearer. Networks are built on torch's meta device, without memory
    for their weights.

    Law: a thousandth is not missed, or no other value of any single width comes nearer.

    Args:
        target: what `measure` is to be.
        widths: of the network that a twin is sought for.
        build: the twin with given widths.
        measure: `real_parameter_count`, or `macs` at a shape; it grows with every width.

    Raises:
        ConfigError: no widths, or a target below 1.

    Example:
        >>> from holonet.nn import holomorphic_mlp, real_mlp
        >>> count = real_parameter_count(holomorphic_mlp(784, [256, 256], 10))
        >>> twin = matched_widths(count, [256, 256], lambda widths: real_mlp(784, widths, 10))
        >>> twin, count, real_parameter_count(real_mlp(784, twin, 10))
        ((437, 437), 538644, 538831)
    """
    if not widths or target < 1:
        raise ConfigError(
            f"a twin of size {target} with the widths {tuple(widths)}: give at least one hidden "
            "layer whose width can change, and a target from 1 on"
        )
    sizes: dict[tuple[int, ...], int] = {}

    def size(found: tuple[int, ...]) -> int:
        if found not in sizes:
            with torch.device("meta"):
                sizes[found] = measure(build(found))
        return sizes[found]

    found = _proportional(target, widths, size)
    if abs(size(found) - target) <= TOLERANCE * target:
        return found
    found = min(_compensated(target, found, size), key=lambda tried: abs(size(tried) - target))
    moved = None
    while moved != found:
        moved = found
        for k in reversed(range(len(found))):  # one width at a time, the last one first
            found = _best(target, found, k, size)
    return found


def _proportional(
    target: int, widths: Sequence[int], size: Callable[[tuple[int, ...]], int]
) -> tuple[int, ...]:
    """The multiple of the widths nearest to the target."""

    def times(factor: float) -> tuple[int, ...]:
        return tuple(max(1, round(factor * width)) for width in widths)

    low, high = 0.0, 1.0
    while size(times(high)) < target:
        low, high = high, 2 * high
    while (high - low) * max(widths) > 0.1:  # of a unit
        middle = (low + high) / 2
        low, high = (middle, high) if size(times(middle)) < target else (low, middle)
    return min(times(low), times(high), key=lambda found: abs(size(found) - target))


def _compensated(
    target: int, widths: tuple[int, ...], size: Callable[[tuple[int, ...]], int]
) -> Iterator[tuple[int, ...]]:
    """The widths with one of them changed a little, and the last one at its best."""
    last = len(widths) - 1
    for k in range(last):
        for step in NEARBY:
            if widths[k] + step >= 1:
                yield _best(target, _with(widths, k, widths[k] + step), last, size)
    yield _best(target, widths, last, size)


def _best(
    target: int, widths: tuple[int, ...], k: int, size: Callable[[tuple[int, ...]], int]
) -> tuple[int, ...]:
    """The widths with the k-th at its best, the others as they are: size grows with it."""
    step = 1 if size(widths) < target else -1
    distance = 1
    near, far = widths, widths
    while (size(far) < target) == (step > 0) and (step > 0 or far[k] > 1):  # gallop past it
        near, far = far, _with(far, k, max(1, far[k] + step * distance))
        distance *= 2
    while abs(far[k] - near[k]) > 1:
        middle = _with(near, k, (near[k] + far[k]) // 2)
        near, far = (middle, far) if (size(middle) < target) == (step > 0) else (near, middle)
    return min(widths, near, far, key=lambda found: abs(size(found) - target))


def _with(widths: tuple[int, ...], k: int, width: int) -> tuple[int, ...]:
    return (*widths[:k], width, *widths[k + 1 :])
