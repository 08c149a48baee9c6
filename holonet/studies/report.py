"""The page of a study: every claim with its source, its test, its verdict and its figure."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from holonet._page import Report, Section, Table
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Finding, Verdict
from holonet.studies.study import Study

__all__ = ["study_report"]


def study_report(study: Study, findings: Sequence[Finding], record: Mapping[str, Any]) -> Report:
    """The report.

    Args:
        study: its claims, with their figures.
        findings: one for each claim, in their order.
        record: what results.json holds.
    """
    pairs = list(zip(study.claims, findings, strict=True))
    effects = any(finding.effect for finding in findings)
    results = {key: cell["result"] for key, cell in record["cells"].items()}
    failed = [f"Cell {key} failed: {error}" for key, error in record["failed"].items()]
    return Report(
        title=study.title,
        summary=_summary(pairs, record),
        headline=Table(
            headers=["claim", "said by the paper", "verdict", *(["effect"] if effects else [])],
            rows=[
                [c.statement, str(c.standing), str(f.verdict), *([f.effect] if effects else [])]
                for c, f in pairs
            ],
            caption="Verdicts follow from intervals. The sections say over what, and give all "
            "numbers.",
        ),
        sections=[_section(c, f, c.section(results)) for c, f in pairs],
        notes=[*study.notes, *failed],
        facts={
            "command": record["command"],
            "seeds": ", ".join(map(str, record["seeds"])),
            "time": f"{record['seconds']:.0f} seconds of work in {len(record['cells'])} cells",
            **_settings(record),
            **record["provenance"],
        },
        numbers=record,
        citations=[study.citation] if study.citation else [],
    )


def _summary(pairs: Sequence[tuple[Claim, Finding]], record: Mapping[str, Any]) -> str:
    """How many claims have which verdict, the paper's own apart from those added here."""
    size = "a short run on small data, which settles little" if record["quick"] else "the full run"
    return (
        f"{_counted(pairs, False)}{_counted(pairs, True)}This is {size}: up to "
        f"{len(record['seeds'])} seeds, {len(record['cells'])} cells, {record['seconds']:.0f} "
        "seconds."
    )


def _counted(pairs: Sequence[tuple[Claim, Finding]], added: bool) -> str:
    verdicts = Counter(f.verdict for c, f in pairs if (c.standing is Standing.ADDED) == added)
    counts = ", ".join(f"{verdicts[v]} {v}" for v in Verdict if v in verdicts)
    whose = "added here" if added else "of the paper"
    return f"Claims {whose}: {counts}. " if counts else ""


def _settings(record: Mapping[str, Any]) -> dict[str, str]:
    """What all cells that have it have in common."""
    values: dict[str, set[str]] = {}
    for cell in record["cells"].values():
        for name, value in cell["identity"]["settings"].items():
            values.setdefault(name, set()).add(json.dumps(value))
    return {f"setting: {name}": text.pop() for name, text in values.items() if len(text) == 1}


def _counts(finding: Finding) -> str:
    """How many values are behind the intervals, by method."""
    counts: dict[str, list[int]] = {}
    for interval in finding.numbers.values():
        counts.setdefault(interval["method"], []).append(interval["count"])
    ranges = (
        f"{method}, {min(n)}{f' to {max(n)}' * (max(n) > min(n))}" for method, n in counts.items()
    )
    return f"Intervals, by method and number of values: {'; '.join(ranges)}." if counts else ""


def _section(claim: Claim, finding: Finding, section: Section) -> Section:
    parts = [
        f"Claim: {claim.statement}",
        f"Source ({claim.standing}): {claim.source}",
        f"Test: {claim.test}",
        f"Verdict: {finding.verdict}. {finding.text}",
        _counts(finding),
        finding.otherwise and f"What would have changed the verdict: {finding.otherwise}",
        section.text,
    ]
    return replace(section, text="\n\n".join(part for part in parts if part))
