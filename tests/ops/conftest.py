"""The operations are tested on every backend: none is forced here."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    """In place of the fixture above, which forces "reference"."""
