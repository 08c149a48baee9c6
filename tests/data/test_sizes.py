"""What a header announces is believed up to what memory is worth."""

import pytest

from holonet.data.sizes import FREE, LARGEST, RATIO, require_reasonable
from holonet.errors import DataError


def test_data_as_they_come_are_taken():
    for announced, stored in [
        (0, 0),
        (FREE, 1),
        (RATIO * FREE // 8, FREE // 8),
        (LARGEST, LARGEST),
    ]:
        require_reasonable("file", announced, stored)


def test_what_is_too_large_or_unpacks_too_far_is_refused():
    with pytest.raises(DataError, match=f"^file announces {LARGEST + 1} bytes, and at most"):
        require_reasonable("file", LARGEST + 1, LARGEST + 1)
    with pytest.raises(DataError, match="in 100 compressed ones, as bombs do"):
        require_reasonable("file", FREE + 1, 100)
