"""The page of a study: every claim with its source, its test, its verdict and its figure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from holonet._page import Report, Section, Table
from holonet.studies.claims import Claim, Finding, Verdict

__all__ = ["study_report"]


def study_report(
    claims: Sequence[Claim],
    findings: Sequence[Finding],
    figures: Mapping[str, Section],
    record: Mapping[str, Any],
) -> Report:
    """The report, from what a study claims and found.

    Args:
        claims, findings: in one order.
        figures: the evidence by claim key; a claim without any has its text alone.
        record: what results.json holds.
    """
    pairs = list(zip(claims, findings, strict=True))
    failed = [f"Cell {key} failed: {error}" for key, error in record["failed"].items()]
    return Report(
        title=record["title"],
        summary=_summary(pairs, record),
        headline=Table(
            headers=["claim", "said by the paper", "verdict"],
            rows=[[c.statement, str(c.standing), str(f.verdict)] for c, f in pairs],
            caption="Verdicts follow from intervals over seeds; their reasons stand below.",
        ),
        sections=[_section(c, f, figures.get(c.key, Section(c.key))) for c, f in pairs],
        notes=[*record["notes"], *failed],
        facts=_facts(record),
    )


def _summary(pairs: Sequence[tuple[Claim, Finding]], record: Mapping[str, Any]) -> str:
    """How many claims met which verdict, the paper's own apart from what was added."""
    verdicts = [finding.verdict for _, finding in pairs]
    counts = [f"{verdicts.count(v)} {v}" for v in Verdict if v in verdicts]
    size = "a short run on small data, which settles little" if record["quick"] else "the full run"
    return (
        f"Of {len(pairs)} claims {', '.join(counts)}. This is {size}: {len(record['seeds'])} "
        f"seeds, {len(record['cells'])} cells, {record['seconds']:.0f} seconds."
    )


def _section(claim: Claim, finding: Finding, section: Section) -> Section:
    parts = [
        f"Claim: {claim.statement}",
        f"Source ({claim.standing}): {claim.source}",
        f"Test: {claim.test}",
        f"Verdict: {finding.verdict}. {finding.text}",
        section.text,
    ]
    return replace(section, text="\n\n".join(part for part in parts if part))


def _facts(record: Mapping[str, Any]) -> dict[str, str]:
    return {
        "command": record["command"],
        "seeds": ", ".join(map(str, record["seeds"])),
        "time": f"{record['seconds']:.0f} seconds of work in {len(record['cells'])} cells",
        **record["provenance"],
    }
