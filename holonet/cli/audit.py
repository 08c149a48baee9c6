"""`holonet audit`: which layers of another library are holomorphic."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from holonet._files import require_place
from holonet._progress import progress_bar
from holonet.audit import EXCLUDED, AuditRow, Verdict, as_record, package_specs, write_audit
from holonet.audit import audit as measure
from holonet.cli.options import JsonFlag, seed_option
from holonet.cli.terminal import say, show

__all__ = ["audit"]

STYLES = {
    Verdict.HOLOMORPHIC: "green",
    Verdict.MEROMORPHIC: "green",
    Verdict.EVAL_ONLY: "yellow",
    Verdict.WRONG_DERIVATIVE: "red",
    Verdict.FAILS: "red",
}
DECLARED = {None: "-", True: "{}", False: "[red]{}, refuted[/red]"}
MARKS = {"b": "whole batches", "d": "central differences", "s": "single precision"}
LEGEND = (
    "|dbar|: largest |df/dzbar|. Witnesses: dbar, its share of the derivative; modes, negative\n"
    "Fourier modes on circles; deriv., autograd against Cauchy's integral.\n"
    + ", ".join(f"{mark}: {text}" for mark, text in MARKS.items())
    + ", o: overwrites its input."
)


def audit(
    package: Annotated[str, typer.Argument(help="complextorch.")] = "complextorch",
    only: Annotated[str, typer.Option(help="Only layers whose name contains this.")] = "",
    seed: Annotated[int, seed_option("Of parameters, points and directions.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the rows to this file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure which layers of another library are holomorphic, in train and in eval mode.

    For each layer: the largest |df/dzbar|, and three witnesses. These are its share of the whole
    derivative, negative Fourier modes on circles, and autograd against Cauchy's integral. The
    verdict is compared with the known one and with what holonet.nn declares. About ten
    seconds for complextorch.

    [dim]holonet audit complextorch[/dim]
    [dim]holonet audit complextorch --only norm --out reports/audit.json[/dim]
    """
    specs = package_specs(package, only)
    if out is not None:
        require_place(out)
    with progress_bar(not as_json) as bar:
        task = bar.add_task("auditing", total=len(specs))
        rows = measure(specs, seed=seed, on_row=lambda row: bar.advance(task))
    if out is not None:
        write_audit(out, rows, package=package, seed=seed)
    if as_json:
        typer.echo(json.dumps(as_record(rows, package=package, seed=seed)))
        return
    show(_table(package, rows))
    say(LEGEND)
    _summarize(rows)
    if not only:
        say(f"{len(EXCLUDED)} further classes are not audited: {_reasons()}")
    if out is not None:
        say(f"The rows are in {out}.")


def _table(package: str, rows: Sequence[AuditRow]) -> Table:
    """One line for each mode, under a heading for each reason why layers are what they are."""
    table = Table(title=f"{package}: where is it holomorphic?", box=SIMPLE, padding=0)
    table.add_column("layer", min_width=16, overflow="fold")
    table.add_column("mode", no_wrap=True)
    for header in ("|dbar|", "dbar", "modes", "deriv."):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("verdict")
    table.add_column("declared")
    note = None
    for row in rows:
        if row.note != note and row.verdict is not Verdict.FAILS:
            note = row.note
            table.add_section()
            table.add_row(f"[italic]{escape(note)}[/italic]")
        declared = DECLARED[row.declaration_holds].format(row.declared)
        end = (_verdict_cell(row), declared)
        if not row.measurements:
            table.add_row(escape(row.label), *[""] * 5, *end)
        for first, m in zip((True, False), row.measurements, strict=False):
            numbers = (m.residual, m.dbar, m.negative_modes, m.derivative)
            marks = "".join(mark for mark, text in MARKS.items() if text in m.how)
            marks += "o" * row.overwrites_input
            table.add_row(
                escape(row.label) if first else "",
                f"{m.mode} {marks}".rstrip(),
                *(f"{n:.1g}" if n < 1e-3 else f"{n:.2g}" for n in numbers),
                *(end if first else ("", "")),
            )
    return table


def _verdict_cell(row: AuditRow) -> str:
    cell = f"[{STYLES.get(row.verdict, 'default')}]{row.verdict}[/]"
    if row.verdict is Verdict.FAILS:
        cell += f": {escape(row.note)}"
    if not row.as_expected:
        cell += f" [red](known: {row.expected})[/red]"
    return cell


def _summarize(rows: Sequence[AuditRow]) -> None:
    counts = Counter(row.verdict for row in rows)
    say(", ".join(f"{counts[v]} {v}" for v in Verdict if counts[v]) + ".")
    refuted = [r for r in rows if r.declaration_holds is False]
    _list("Not what they were known to be", [r for r in rows if not r.as_expected])
    _list("Not what holonet.nn declares them to be", refuted)
    undeclared = [r for r in rows if r.declared is None and r.verdict is Verdict.HOLOMORPHIC]
    if undeclared:
        labels = ", ".join(row.label for row in undeclared)
        say(f"No violation found and not declared, so that no container takes them: {labels}.")


def _list(title: str, rows: Sequence[AuditRow]) -> None:
    """The rows with their numbers, or that there are none."""
    say(f"{title}: {len(rows) or 'none'}.")
    for row in rows:
        numbers = "; ".join(
            f"{m.mode}: max |dbar| {m.residual:.3g}, dbar {m.dbar:.3g}, "
            f"negative modes {m.negative_modes:.3g}, derivative {m.derivative:.3g}"
            for m in row.measurements
        )
        say(
            f"  {row.label}: {row.verdict}, known as {row.expected}, declared {row.declared}. "
            f"{numbers or row.note}"
        )


def _reasons() -> str:
    counts = Counter(EXCLUDED.values())
    return "; ".join(f"{n} ({reason})" for reason, n in counts.items()) + "."
