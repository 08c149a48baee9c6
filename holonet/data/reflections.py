"""Measured complex data: reflection sweeps of six one-port devices, gain and phase unknown."""

import math

import torch
from jaxtyping import Complex
from torch import Tensor

from holonet._arguments import checked
from holonet._optional import require
from holonet.data.dataset import Dataset

__all__ = ["DEVICES", "load_reflections"]

POINTS = 16
"""Frequencies of one example."""

TRAIN, TEST = 400, 150
"""Examples of each class."""

NOISE = 0.05
"""Root mean square of the noise of an entry; an example without noise has 1."""

DEVICES = (
    "ring slot",
    "radiating open",
    "short",
    "short behind 132 um",
    "short behind 85 um",
    "load",
)
"""The devices, in the order of the classes."""

Trace = Complex[Tensor, " frequencies"]
Sweeps = Complex[Tensor, "examples points"]


@checked
def load_reflections(seed: int = 0) -> Dataset:
    """2400 and 900 sweeps of 16 complex reflection coefficients, (N, 16), in six classes.

    scikit-rf bundles the measurements: a ring slot at 101 frequencies from 75 to 110 GHz, and at
    201 frequencies from 500 to 750 GHz a radiating open (three times) and the four standards of a
    one-port calibration, as the analyzer read them: a short, two shorts behind lines, a load.

    An example is every sixth or twelfth frequency of a measurement, from a random first one. It
    is scaled to mean square 1, multiplied by exp(i t), t uniform on the circle, and circular
    Gaussian noise of root mean square 0.05 is added to each entry. So gain and phase of the
    receiver are unknown. The first frequency, t and the noise are drawn by seed.

    The even-numbered frequencies are for training and the odd-numbered ones for testing. The
    devices are the same in both parts: accuracy on the test part is that of telling these eight
    measurements from each other again, not of naming other devices. A class has 5 different test
    sweeps (ring slot), 30 (radiating open) or 10, up to noise and phase, so that an interval that
    takes all test examples for independent is too narrow.

    Law: no measured number is in a training and a test example. The classes are of equal size in
        both parts.

    The calibration's file is a pickle of scikit-rf's own, which scikit-rf reads.

    Raises:
        MissingDependencyError: scikit-rf is not installed.
    """
    generator = torch.Generator().manual_seed(seed)
    devices = _measured()
    parts = []
    for first, count in ((0, TRAIN), (1, TEST)):
        sweeps = [_sweeps(traces, first, count, generator) for traces in devices]
        y = torch.arange(len(devices)).repeat_interleave(count)
        order = torch.randperm(len(y), generator=generator)
        parts += [_received(torch.cat(sweeps)[order], generator), y[order]]
    return Dataset(*parts, num_classes=len(devices), name="reflections")


def _measured() -> list[list[Trace]]:
    """The measurements of each device, complex128."""
    require("skrf", "scikit-rf", "datasets", "the reflections data set")
    from skrf import data

    short, behind_132, behind_85, load = data.one_port_cal.measured
    networks = [[data.ring_slot_meas], [data.ro_1, data.ro_2, data.ro_3]]
    networks += [[short], [behind_132], [behind_85], [load]]
    return [[torch.tensor(network.s[:, 0, 0]) for network in device] for device in networks]


def _sweeps(traces: list[Trace], first: int, count: int, generator: torch.Generator) -> Sweeps:
    """Sweeps that begin at random at first, first + 2 and so on, scaled to mean square 1."""
    possible = []
    for trace in traces:
        step = len(trace) // POINTS // 2 * 2
        possible.append(trace.unfold(0, step * (POINTS - 1) + 1, 1)[first::2, ::step])
    sweeps = torch.cat(possible)
    sweeps = sweeps[torch.randint(len(sweeps), (count,), generator=generator)]
    return sweeps / sweeps.abs().square().mean(1, keepdim=True).sqrt()


def _received(sweeps: Sweeps, generator: torch.Generator) -> Sweeps:
    """With a random phase for each sweep and noise for each entry, complex64."""
    angle = 2 * math.pi * torch.rand(len(sweeps), 1, generator=generator, dtype=torch.float64)
    noise = torch.randn(sweeps.shape, generator=generator, dtype=torch.complex128)  # E|n|^2 = 1
    return (sweeps * torch.polar(torch.ones_like(angle), angle) + NOISE * noise).to(torch.complex64)
