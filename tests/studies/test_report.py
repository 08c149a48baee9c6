"""The page of a study shows every claim with what became of it."""

from holonet.plots import Section, Table, new_figure, render_report
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Evidence, Finding, Verdict
from holonet.studies.report import study_report
from holonet.studies.study import Study


def claims(figures):
    texts = {
        "a": ("A is so.", "Page 1.", "Measured.", Standing.CERTAIN),
        "b": ("B is so.", "Abstract.", "Guessed at.", Standing.RECONSTRUCTED),
        "c": ("C is so.", "Ours.", "Cannot be.", Standing.ADDED),
    }
    return tuple(
        Claim(key, *said, lambda results: Evidence(), figures.get(key), standing)
        for key, (*said, standing) in texts.items()
    )


NUMBERS = {
    name: {"method": method, "count": count}
    for name, method, count in (("x", "Wilson", 9), ("y", "Wilson", 40), ("z", "exact", 1))
}
FINDINGS = [
    Finding("a", Verdict.CONFIRMED, NUMBERS, "It is."),
    Finding("b", Verdict.UNDECIDED, {}, "Undecided."),
    Finding("c", Verdict.NOT_TESTABLE, {}, "Too small."),
]
RECORD = {
    "quick": True,
    "command": "holonet reproduce three",
    "seeds": [0, 1],
    "cells": {
        key: {"identity": {"settings": {"width": 3, "seed": n}}, "result": {"n": 1}}
        for n, key in enumerate("xyz")
    },
    "failed": {"y": "NumericalError: NaN"},
    "seconds": 12.4,
    "provenance": {"commit": "abc1234", "processor": "abacus", "torch": "2.13"},
}


def report(**figures):
    kind = type(
        "Three",
        (Study,),
        {
            "title": "Three claims",
            "claims": claims(figures),
            "notes": ("A note.",),
            "citation": "@misc{three}",
            "cells": lambda self, quick: [],
            "run_cell": lambda self, cell, folder, on_progress: {},
        },
    )
    return study_report(kind(), FINDINGS, RECORD)


def test_claims_and_verdicts_stand_side_by_side():
    headline = report().headline
    assert headline is not None
    assert [row[0] for row in headline.rows] == ["A is so.", "B is so.", "C is so."]
    assert [row[2] for row in headline.rows] == ["confirmed", "undecided", "not testable"]
    assert headline.rows[1][1] == "reconstructed"


def test_the_summary_counts():
    summary = report().summary
    assert "Claims of the paper: 1 confirmed, 1 undecided. " in summary
    assert "Claims added here: 1 not testable. " in summary
    assert "12 seconds" in summary


def test_each_claim_has_its_source_its_test_and_its_verdict_before_its_own_text():
    figure = new_figure()[0]
    table = Table(["n"], [[1]])
    own = Section("Title", "Own text.", table, figure, "What is seen.", "Careful.")
    first, second, _ = report(a=lambda results: own).sections
    parts = first.text.split("\n\n")
    assert parts == [
        "Claim: A is so.",
        "Source (certain): Page 1.",
        "Test: Measured.",
        "Verdict: confirmed. It is.",
        "Intervals, by method and number of values: Wilson, 9 to 40; exact, 1.",
        "Own text.",
    ]
    assert (first.title, first.figure, first.table) == ("Title", figure, table)
    assert (first.caption, first.note) == ("What is seen.", "Careful.")
    assert second.title == "b"
    assert "Source (reconstructed): Abstract." in second.text


def test_the_report_lists_failures_and_provenance():
    found = report()
    assert found.notes == ["A note.", "Cell y failed: NumericalError: NaN"]
    assert found.facts["seeds"] == "0, 1"
    assert found.facts["processor"] == "abacus"
    assert found.facts["commit"] == "abc1234"
    assert found.facts["setting: width"] == "3"
    assert "setting: seed" not in found.facts
    assert "Three claims" in render_report(found)
    assert found.citations == ["@misc{three}"]
    assert found.numbers is RECORD
