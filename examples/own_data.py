"""A data set of one's own: tones of two frequencies, with noise and of unknown phase.

holonet train --data own_data:TONES --readout modulus --rule standard --run-dir runs/tones

runs in the folder of this file. A package offers the same entry by its name, without a place:

[project.entry-points."holonet.datasets"]
tones = "own_data:TONES"
"""

import math
from pathlib import Path

import torch

from holonet.data import Dataset, DatasetEntry

SAMPLES = 16


def load_tones(root: str | Path | None, seed: int) -> Dataset:
    """300 and 100 tones of 16 samples, complex64.

    Args:
        root: the folder of --data-root, for data that are files; unused here.
        seed: of --data-seed. Draw everything from it: a run is identified by its data.
    """
    del root
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (400,), generator=generator)
    angle = 2 * math.pi * torch.rand(400, 1, generator=generator)
    phase = angle + (0.2 + 0.1 * y[:, None]) * torch.arange(SAMPLES)
    noise = torch.randn(phase.shape, dtype=torch.complex64, generator=generator)
    x = torch.polar(torch.ones_like(phase), phase) + 0.1 * noise
    return Dataset(x[:300], y[:300], x[300:], y[300:], num_classes=2, name="tones")


TONES = DatasetEntry("tones of two frequencies, complex, 16 samples", "", load_tones)
