"""`holonet audit`: which layers of another library are holomorphic."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from holonet._files import require_place
from holonet.audit import EXCLUDED, Verdict
from holonet.audit.measure import (
    AuditRow,
    as_record,
    audit_layer,
    package_specs,
    write_audit,
)
from holonet.cli.options import JsonFlag, seed_option
from holonet.cli.terminal import progress, say

__all__ = ["audit"]

STYLES = {
    Verdict.HOLOMORPHIC: "green",
    Verdict.MEROMORPHIC: "green",
    Verdict.EVAL_ONLY: "yellow",
    Verdict.FAILS: "red",
}
DECLARED = {None: "-", True: "{}", False: "[red]{}, refuted[/red]"}


def audit(
    package: Annotated[str, typer.Argument(help="complextorch.")] = "complextorch",
    only: Annotated[str, typer.Option(help="Only layers whose name contains this.")] = "",
    seed: Annotated[int, seed_option("Of parameters, points and directions.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the rows to this file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure which layers of another library are holomorphic, in train and in eval mode.

    For each layer: the largest |df/dzbar|, the same relative to the whole derivative, and the
    negative Fourier modes on circles. The verdict is compared with what the layer
    was known to be and with what holonet.nn declares. About ten seconds for complextorch.

    [dim]holonet audit complextorch[/dim]
    [dim]holonet audit complextorch --only norm --out reports/audit.json[/dim]
    """
    specs = package_specs(package, only)
    if out is not None:
        require_place(out)
    rows = []
    with progress(hidden=as_json) as bar:
        task = bar.add_task("auditing", total=len(specs))
        for spec in specs:
            bar.update(task, description=f"{spec.label:40.40}")
            rows.append(audit_layer(spec, seed=seed))
            bar.advance(task)
    if out is not None:
        write_audit(out, rows, package=package, seed=seed)
    if as_json:
        typer.echo(json.dumps(as_record(rows, package=package, seed=seed)))
        return
    console = Console(width=max(170, shutil.get_terminal_size().columns))
    console.print(_table(package, rows))
    _summarize(console, rows)
    if not only:
        console.print(f"{len(EXCLUDED)} further classes are not audited:", _reasons())
    if out is not None:
        say(f"The rows are in {out}.")


def _table(package: str, rows: Sequence[AuditRow]) -> Table:
    """One line for each mode, under a heading for each reason why layers are what they are."""
    table = Table(title=f"{package}: where is it holomorphic?")
    table.add_column("layer", no_wrap=True)
    table.add_column("mode")
    for header in ("max |dbar|", "relative", "neg. modes"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("how", "verdict", "declared"):
        table.add_column(header, min_width=len(max(STYLES, key=len)) if header == "verdict" else 0)
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
            numbers = (f"{n:.2g}" for n in (m.residual, m.relative, m.negative_modes))
            name = escape(row.label) if first else ""
            how = m.how + " [red](overwrites its input)[/red]" * row.overwrites_input
            table.add_row(name, m.mode, *numbers, how, *(end if first else ("", "")))
    return table


def _verdict_cell(row: AuditRow) -> str:
    cell = f"[{STYLES.get(row.verdict, 'default')}]{row.verdict}[/]"
    if row.verdict is Verdict.FAILS:
        cell += f": {escape(row.note)}"
    if not row.as_expected:
        cell += f" [red](known: {row.expected})[/red]"
    return cell


def _summarize(console: Console, rows: Sequence[AuditRow]) -> None:
    counts = Counter(row.verdict for row in rows)
    console.print(", ".join(f"{counts[v]} {v}" for v in Verdict if counts[v]) + ".")
    refuted = [r for r in rows if r.declaration_holds is False]
    _list(console, "Not what they were known to be", [r for r in rows if not r.as_expected])
    _list(console, "Not what holonet.nn declares them to be", refuted)
    undeclared = [r for r in rows if r.declared is None and r.verdict is Verdict.HOLOMORPHIC]
    if undeclared:
        console.print(
            "No violation found and not declared, so that no container takes them: "
            + escape(", ".join(r.label for r in undeclared))
            + "."
        )


def _list(console: Console, title: str, rows: Sequence[AuditRow]) -> None:
    """The rows with their numbers, or that there are none."""
    console.print(f"{title}: {len(rows) or 'none'}.")
    for row in rows:
        numbers = "; ".join(
            f"{m.mode}: max |dbar| {m.residual:.3g}, relative {m.relative:.3g}, "
            f"negative modes {m.negative_modes:.3g}"
            for m in row.measurements
        )
        console.print(
            f"  {escape(row.label)}: {row.verdict}, known as {row.expected}, declared "
            f"{row.declared}. {numbers or escape(row.note)}"
        )


def _reasons() -> str:
    counts = Counter(EXCLUDED.values())
    return "; ".join(f"{n} ({reason})" for reason, n in counts.items()) + "."
