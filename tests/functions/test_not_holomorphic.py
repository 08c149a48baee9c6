"""Names of functions that are no records: each is answered, and none is in the catalogue."""

import pytest

from holonet.errors import UnknownNameError
from holonet.functions import CATALOGUE, get_function
from holonet.functions.not_holomorphic import NOT_IN_THE_CATALOGUE


def test_no_record_is_called_not_holomorphic():
    assert not NOT_IN_THE_CATALOGUE.keys() & CATALOGUE.keys()


@pytest.mark.parametrize("name", ["relu", "ReLU", "LeakyReLU", "elu"])
def test_a_function_of_pieces_is_answered_with_its_smooth_relatives(name):
    with pytest.raises(
        UnknownNameError,
        match=rf"^unknown activation '{name}': {name} is not holomorphic.*'gelu', 'silu' and",
    ):
        get_function(name)


def test_names_in_quotes_are_names_of_records():
    for note in NOT_IN_THE_CATALOGUE.values():
        assert {*note.split("'")[1::2]} <= CATALOGUE.keys()
