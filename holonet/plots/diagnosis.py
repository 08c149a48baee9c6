"""The page of a diagnosis: its verdict, each section with its numbers and figures, and advice."""

from collections.abc import Callable, Mapping
from typing import Any

from holonet._arguments import checked
from holonet._page import Cell, Report, Section, Table
from holonet.diagnostics import Diagnosis, DiagnosisSection
from holonet.diagnostics.analyticity_report import FOUND, NONE_WITHIN
from holonet.diagnostics.diagnosis import HOW_TO, sentence
from holonet.diagnostics.sections.energy import MEASURES
from holonet.plots.diagnosis_figures import (
    plot_decay,
    plot_distances_on_lines,
    plot_gaps,
    plot_layers,
    plot_line,
    plot_plane,
    plot_reports,
    plot_witnesses,
)

__all__ = ["diagnosis_report"]


@checked
def diagnosis_report(diagnosis: Diagnosis, facts: Mapping[str, Any] | None = None) -> Report:
    """The report of a diagnosis.

    Args:
        diagnosis: of `diagnostics.diagnose`.
        facts: command, seed and provenance.

    Example:
        >>> from holonet.diagnostics import DiagnosisSection
        >>> section = DiagnosisSection("energy", "not applicable", "no labels")
        >>> diagnosis_report(Diagnosis({"model": "Net"}, {}, (section,))).title
        'Net: diagnosis'
    """
    about = diagnosis.subject
    name = about.get("target") or about.get("model", "A model")
    pages = [page for one in diagnosis.sections for page in _PAGES[one.name](one, about)]
    return Report(
        title=f"{name}: diagnosis",
        summary=diagnosis.verdict,
        sections=[*pages, _advice(diagnosis)],
        notes=[
            "A check that finds no violation is evidence and no proof.",
            "Near a point every smooth function is nearly affine, and affine functions are "
            "harmonic: shares are of what an affine fit leaves.",
            "Attacks give upper bounds on robust accuracy. Those here are short.",
            f"What each number means: {HOW_TO}.",
        ],
        facts={key: _cell(value) for key, value in {**about, **(facts or {})}.items()},
        numbers=None,
    )


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _advice(diagnosis: Diagnosis) -> Section:
    worst = [[one.name, ", ".join(map(str, one.worst))] for one in diagnosis.sections if one.worst]
    table = None
    if worst:
        table = Table(["section", "examples"], worst, "Positions of the examples that stand out.")
    text = "\n\n".join(map(sentence, diagnosis.advice)) or "Nothing stands out."
    return Section("What to try next", text, table)


def _text(section: DiagnosisSection) -> str:
    return "\n\n".join(sentence(line.strip()) for line in (section.verdict, *section.lines))


def _holomorphy(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    numbers = section.numbers or {}
    check, layers = numbers.get("check"), numbers.get("layers")
    title = "Holomorphy" if about.get("kind") == "complex" else "Continuation into complex numbers"
    figure = plot_witnesses(check) if check else None
    caption = "Fourier modes of the outputs on the worst circle; a holomorphic function has no "
    pages = [Section(title, _text(section), figure=figure, caption=caption + "negative ones.")]
    tolerance = check["tolerance"] if check else numbers.get("tolerance")
    if layers and tolerance:
        pages.append(
            Section(
                "Violation layer by layer",
                "What leaves each module, as a function of the network's input.",
                figure=plot_layers(layers, tolerance),
                caption="Share of the derivative in conj z behind each module, in the order of "
                "execution.",
            )
        )
    return pages


def _harmonicity(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    pages = [Section("Harmonicity", sentence(section.verdict))]
    for name, part in (section.numbers or {}).items():
        beside = part.get("baseline_name") or "baseline"
        pages.append(
            Section(
                f"Harmonicity: {name}",
                table=_shares(part, beside),
                figure=plot_gaps(part, beside),
                caption="Left: mean over the sphere minus the value at the center, root mean "
                "square over examples and outputs, with two standard errors. Right: of what an "
                "affine fit leaves, the part that is not harmonic, with 95% intervals over "
                "examples.",
            )
        )
    return pages


def _shares(part: Mapping[str, Any], beside: str) -> Table:
    headers = ["radius", "model (95% interval)"]
    other = part["baseline"]["summary"] if part["baseline"] else None
    if other:
        headers.append(f"{beside} (95% interval)")
    rows: list[list[Cell]] = []
    for number, one in enumerate(part["summary"]):
        row: list[Cell] = [f"{one['radius']:.3g}", _share(one)]
        rows.append([*row, _share(other[number])] if other else row)
    return Table(headers, rows, "Of what an affine fit leaves, the part that is not harmonic.")


def _share(summary: Mapping[str, Any]) -> str:
    """A share with its interval; what is not beyond its error is none."""
    share, error = summary["share"], summary["standard_error"]
    if share is None:
        return "affine"
    if not summary["found"]:
        return f"none (at most {max(0.0, share) + 2 * error:.1g})"
    return f"{share:.3g} ({_interval(summary['interval']) or 'one example'})"


def _interval(ends: list[float] | None) -> str | None:
    return None if ends is None or None in ends else f"{ends[0]:.3g} to {ends[1]:.3g}"


def _analyticity(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    numbers = section.numbers
    if not numbers:
        return [Section("Analyticity", _text(section))]
    is_known = any(s in (FOUND, NONE_WITHIN) for row in numbers["state"] for s in row)
    paragraphs = [section.verdict]
    for line in section.lines:  # a direction, and under it what was found
        if line.startswith("    "):
            paragraphs[-1] += f". {line.strip()[:1].upper()}{line.strip()[1:]}"
        else:
            paragraphs.append(line.strip())
    pages = [
        Section(
            "Analyticity",
            "\n\n".join(map(sentence, paragraphs)),
            figure=plot_distances_on_lines(numbers) if is_known else None,
            caption="Each point is a line through an example. Beyond the dashed lines nothing was "
            "found within the reach.",
        )
    ]
    has_kinks = any(kind == "kink" for row in numbers["kinds"] for kind in row)
    has_decay = any(v is not None for row in numbers["decay"] for line in row for v in line)
    if has_decay and not has_kinks:
        pages.append(
            Section(
                "Decay of the Taylor coefficients",
                "At the radius r of a disc without singularities, about each example. A straight "
                "fall is that of a singularity beyond the disc; an entire function falls faster "
                "and faster.",
                figure=plot_decay(numbers),
                caption="Coefficients of the margin along lines: median over examples, and "
                "quartiles.",
            )
        )
    return pages


def _energy(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    numbers, title = section.numbers or {}, "Dirichlet energy and Jacobian"
    measures = [(words, numbers[name]) for name, words in MEASURES.items() if name in numbers]
    if not measures:
        return [Section(title, _text(section))]
    has_baseline = "baseline" in measures[0][1]
    headers = ["median over examples", "model", "95% interval"]
    if has_baseline:
        headers += [str(about.get("baseline", "baseline")), "95% interval"]
    rows: list[list[Cell]] = []
    for words, one in measures:
        row: list[Cell] = [words, one["median"], _interval(one["interval"])]
        if has_baseline:
            row += [one["baseline"], _interval(one["baseline_interval"])]
        rows.append(row)
    caption = "J is the Jacobian of the logits in the real coordinates of an example."
    return [Section(title, sentence(section.verdict), Table(headers, rows, caption))]


def _robustness(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    if not section.numbers:
        return [Section("Robustness", _text(section))]
    doubts = [line for line in section.lines if line.startswith("doubt")]
    models = [("model", section.numbers["reports"]), ("baseline", section.numbers["baseline"])]
    rows: list[list[Cell]] = [
        [name, one["robust"]["eps"], f"{one['robust']['accuracy']:.1%}", _percent(one["robust"])]
        for name, reports in models
        for one in reports
    ]
    return [
        Section(
            "Robustness",
            sentence(section.verdict),
            Table(["network", "eps", "right, at most", "95% interval"], rows, "Short attacks."),
            plot_reports(section.numbers),
            "Accuracy under short attacks; the bands are Wilson intervals at 95%.",
            note="\n\n".join(map(sentence, doubts)) or None,
        )
    ]


def _percent(point: Mapping[str, Any]) -> str:
    low, high = point["interval"]
    return f"{low:.1%} to {high:.1%}"


def _slices(section: DiagnosisSection, about: Mapping[str, Any]) -> list[Section]:
    numbers = section.numbers or {}
    pages = []
    label, rival = numbers.get("classes", (0, 1))
    example = numbers.get("example")
    difference = f"logit of class {label} minus that of class {rival}"
    if "line" in numbers:
        pages.append(
            Section(
                "A margin on a complex line",
                f"The line runs through example {example}, at 0, and through the decision "
                "boundary as far as the gradient tells, at 1. No real example lies off the real "
                f"axis. Drawn is the {difference}, continued: colors give its argument, rings its "
                "modulus, and all colors meet at zeros and at poles. A pole of small strength has "
                "a zero beside it, and both may hide under the mark. The decision is the sign on "
                "the real axis.",
                figure=plot_line(numbers["line"]),
                caption=f"Phase portrait of the {difference}, about example {example}.",
            )
        )
    if "plane" in numbers:
        pages.append(
            Section(
                "Level sets of a margin",
                f"The plane through example {example} has the steepest way to the boundary as its "
                "horizontal axis. Between level sets of a harmonic function of two variables there "
                "are no closed loops; in a plane of more variables a harmonic function may have "
                "some.",
                figure=plot_plane(numbers["plane"]),
                caption=f"Level sets of the {difference}; solid above 0, dashed below, the "
                "boundary heavy.",
            )
        )
    return pages or [Section("Slices", sentence(section.verdict))]


_PAGES: Mapping[str, Callable[[DiagnosisSection, Mapping[str, Any]], list[Section]]] = {
    "holomorphy": _holomorphy,
    "harmonicity": _harmonicity,
    "analyticity": _analyticity,
    "energy": _energy,
    "robustness": _robustness,
    "slices": _slices,
}
