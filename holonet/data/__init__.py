"""Labelled data in [0, 1] or native complex, and the lifts from real to complex features."""

from holonet.data.catalogue import DATASETS, DatasetEntry, load_dataset
from holonet.data.dataset import Dataset, stratified_split
from holonet.data.image_folder import load_image_folder
from holonet.data.images import load_digits, load_idx, load_mnist, read_idx
from holonet.data.inputs import Inputs, load_inputs
from holonet.data.lift import analytic_signal, embed, pair, phase
from holonet.data.photographs import load_photographs
from holonet.data.reflections import load_reflections
from holonet.data.synthetic import DiscMode, HarmonicProblem, RingPotential, two_rings
from holonet.data.tabular import load_npz

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetEntry",
    "DiscMode",
    "HarmonicProblem",
    "Inputs",
    "RingPotential",
    "analytic_signal",
    "embed",
    "load_dataset",
    "load_digits",
    "load_idx",
    "load_image_folder",
    "load_inputs",
    "load_mnist",
    "load_npz",
    "load_photographs",
    "load_reflections",
    "pair",
    "phase",
    "read_idx",
    "stratified_split",
    "two_rings",
]
