"""The page of a study shows every claim with what became of it."""

from holonet.plots import Section, Table, new_figure, render_report
from holonet.studies.claims import Claim, Finding, Standing, Verdict
from holonet.studies.report import study_report

CLAIMS = [
    Claim("a", "A is so.", "Page 1.", "Measured."),
    Claim("b", "B is so.", "Abstract.", "Guessed at.", Standing.RECONSTRUCTED),
    Claim("c", "C is so.", "Ours.", "Cannot be.", Standing.ADDED),
]
FINDINGS = [
    Finding("a", Verdict.CONFIRMED, {}, "It is."),
    Finding("b", Verdict.NOT_CONFIRMED, {}, "Undecided."),
    Finding("c", Verdict.NOT_TESTABLE, {}, "Too small."),
]
RECORD = {
    "title": "Three claims",
    "quick": True,
    "command": "holonet reproduce three",
    "notes": ["A note."],
    "seeds": [0, 1],
    "cells": {"x": {"identity": {"settings": {"width": 3}}}},
    "failed": {"y": "NumericalError: NaN"},
    "seconds": 12.4,
    "provenance": {"commit": "abc1234", "processor": "abacus", "torch": "2.13"},
}


def report(figures=None):
    return study_report(CLAIMS, FINDINGS, figures or {}, RECORD)


def test_claims_and_verdicts_stand_side_by_side():
    headline = report().headline
    assert headline is not None
    assert [row[0] for row in headline.rows] == [c.statement for c in CLAIMS]
    assert [row[2] for row in headline.rows] == ["confirmed", "not confirmed", "not testable here"]
    assert headline.rows[1][1] == "reconstructed"


def test_the_summary_counts():
    summary = report().summary
    assert "Of 3 claims 1 confirmed, 1 not confirmed, 1 not testable here" in summary
    assert "12 seconds" in summary


def test_each_claim_has_its_source_its_test_and_its_verdict_before_its_own_text():
    figure = new_figure()[0]
    table = Table(["n"], [[1]])
    own = Section("Title", "Own text.", table, figure, "What is seen.", "Careful.")
    first, second, _ = report({"a": own}).sections
    parts = first.text.split("\n\n")
    assert parts == [
        "Claim: A is so.",
        "Source (certain): Page 1.",
        "Test: Measured.",
        "Verdict: confirmed. It is.",
        "Own text.",
    ]
    assert (first.title, first.figure, first.table) == ("Title", figure, table)
    assert (first.caption, first.note) == ("What is seen.", "Careful.")
    assert second.title == "b"
    assert "Source (reconstructed): Abstract." in second.text


def test_failures_and_provenance_are_told():
    found = report()
    assert found.notes == ["A note.", "Cell y failed: NumericalError: NaN"]
    assert found.facts["seeds"] == "0, 1"
    assert found.facts["processor"] == "abacus"
    assert found.facts["commit"] == "abc1234"
    assert "Three claims" in render_report(found)
