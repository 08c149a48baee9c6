"""One object gives text and JSON."""

import json

import pytest

from holonet.diagnostics import Diagnosis, DiagnosisSection
from holonet.errors import UnknownNameError

YES = DiagnosisSection("holomorphy", "yes", "no violation found", ("dbar 0",), numbers={"a": 1.0})
NO = DiagnosisSection("harmonicity", "no", "not harmonic.", advice=("a penalty",), worst=(3, 1))
NONE = DiagnosisSection("robustness", "not applicable", "it needs labels", advice=("a penalty",))
FOUND = Diagnosis({"model": "Net", "outputs": 3}, {"seed": 0}, (YES, NO, NONE))


def test_the_verdict_has_a_sentence_for_each_section_that_applies() -> None:
    assert FOUND.verdict == "No violation found.\n\nNot harmonic."
    assert Diagnosis({}, {}, (NONE,)).verdict == "It needs labels."


def test_advice_is_given_once() -> None:
    assert FOUND.advice == ("a penalty",)


def test_text_has_everything() -> None:
    text = str(FOUND)
    assert text.startswith("model: Net; outputs: 3\nholomorphy: no violation found\n  dbar 0")
    assert "robustness: it needs labels" in text
    assert "worst examples, harmonicity: 3, 1" in text
    assert "try: a penalty" in text
    assert text.endswith("docs/diagnose.md")


def test_json_is_strict_and_sections_come_back_from_it() -> None:
    section = DiagnosisSection("energy", "measured", "it is steep", numbers={"b": float("nan")})
    content = json.loads(json.dumps(section.to_json(), allow_nan=False))
    assert content["numbers"] == {"b": None}
    for one in (YES, NO, NONE):
        kept = json.loads(json.dumps(one.to_json()))
        assert DiagnosisSection.from_json(kept) == one
    whole = json.loads(json.dumps(FOUND.to_json(), allow_nan=False))
    assert whole["sections"]["harmonicity"]["worst"] == [3, 1]
    assert whole["verdict"] == FOUND.verdict


def test_sections_are_found_by_name() -> None:
    assert FOUND["harmonicity"] is NO
    with pytest.raises(UnknownNameError, match="harmonicity"):
        FOUND["harmony"]
