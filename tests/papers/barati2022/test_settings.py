"""Settings are JSON, and parts are told apart."""

import json
from dataclasses import asdict

from holonet.data import load_digits
from holonet.papers.barati2022 import Barati2022
from holonet.papers.barati2022.settings import of_part


def test_of_part_selects_by_part() -> None:
    results = {"a": {"part": "planar"}, "b": {"part": "energy"}, "c": {"part": "planar"}}
    assert of_part(results, "planar") == [results["a"], results["c"]]


def test_settings_are_json_and_name_their_part() -> None:
    cells = Barati2022(load_digits()).cells(True)
    texts = [json.dumps(asdict(cell.settings)) for cell in cells]
    assert len(set(texts)) == len(cells)
    assert {json.loads(text)["part"] for text in texts} == {"planar", "energy", "transfer"}


def test_a_network_of_the_range_of_weights_has_its_seed() -> None:
    cells = Barati2022(load_digits()).cells(True)
    energy = [c.settings for c in cells if c.settings.part == "energy"]
    assert all(settings.seed == settings.network.seed for settings in energy)
