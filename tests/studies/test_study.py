"""A study refuses counts below 1."""

import pytest

from holonet.errors import ConfigError
from holonet.papers.shaham2015 import Shaham2015


@pytest.mark.parametrize("option", ["seeds", "epochs"])
@pytest.mark.parametrize("value", [0, -1])
def test_counts_below_1_are_refused(option: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{option}={value}"):
        Shaham2015(**{option: value})
