"""Settings are JSON, and parts are told apart."""

import json
from dataclasses import asdict

from holonet.data import load_digits
from holonet.papers.barati2022 import Barati2022


def test_settings_are_json_and_name_their_part() -> None:
    cells = Barati2022(load_digits()).cells(True)
    texts = [json.dumps(asdict(cell.settings)) for cell in cells]
    assert len(set(texts)) == len(cells)
    assert {json.loads(text)["part"] for text in texts} == {"planar", "energy", "transfer"}


def test_a_network_of_the_range_of_weights_has_its_seed() -> None:
    cells = Barati2022(load_digits()).cells(True)
    energy = [c.settings for c in cells if c.settings.part == "energy"]
    assert all(settings.seed == settings.network.seed for settings in energy)
