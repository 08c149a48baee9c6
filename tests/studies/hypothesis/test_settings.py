"""Names tell networks apart, and sizes follow the data."""

from dataclasses import replace

from holonet.studies.hypothesis.settings import Network, size_for


def test_no_two_networks_share_a_name() -> None:
    one = Network("square", "real", "parameters", (32, 32))
    others = [
        replace(one, activation="sin"),
        replace(one, coefficients="complex"),
        replace(one, match="macs"),
        replace(one, hidden=(32,)),
        replace(one, experts=4, regions="k-means"),
        replace(one, experts=4, regions="random"),
    ]
    assert len({n.name for n in (one, *others)}) == 7


def test_large_data_have_fewer_seeds_and_wider_networks() -> None:
    small, large, quick = size_for(1438, False), size_for(60000, False), size_for(60000, True)
    assert (small.seeds, large.seeds) == (8, 3)
    assert large.hidden > small.hidden > quick.hidden
    assert (large.train, quick.train) == (60000, 1000)
