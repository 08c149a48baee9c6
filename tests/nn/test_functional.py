"""nn.functional is the catalogue under torch's names."""

import torch

from cases import each
from holonet.functions import CATALOGUE
from holonet.nn import functional

FAMILIES = {"identity", "cube", "polynomial", "moebius", "blaschke"}


def test_every_function_of_the_catalogue_is_there():
    assert {*functional.__all__} == {*CATALOGUE} - FAMILIES


@each("name", functional.__all__)
def test_each_is_the_catalogues(name):
    record = CATALOGUE[name]
    z = record.domain.sample(20, generator=torch.Generator().manual_seed(0))
    assert getattr(functional, name) is record.value
    assert torch.equal(getattr(functional, name)(z), record(z))
