"""`holonet bench`: what time and memory things take, beside what one would otherwise run."""

import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from holonet._files import require_place, write_atomically
from holonet._provenance import provenance
from holonet.bench import (
    SUITES,
    Row,
    files_beside,
    measure,
    performance_page,
    require_green,
    write_rows,
)
from holonet.cli.options import JsonFlag, count
from holonet.cli.terminal import say, show
from holonet.errors import UnknownNameError

__all__ = ["bench"]


def bench(
    suites: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(SUITES)}; all but gpu unless given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The CSV file of what was measured.")] = Path(
        "reports/bench.csv"
    ),
    rounds: Annotated[int, count("Samples of each contender.")] = 15,
    quick: Annotated[bool, typer.Option("--quick", help="Few cases, no torch.compile.")] = False,
    page: Annotated[
        Path | None, typer.Option(help="Also write the tables of all files beside OUT as a page.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Time operations and training steps against torch and complextorch; measure their memory.

    The operations' own tests run first, and must pass. What is finished is in the file after
    every case, so an interrupted run is not lost. Four minutes on two cores at 7 rounds,
    of which the operations' tests take one.

    [dim]holonet bench pointwise --quick[/dim]
    [dim]holonet bench --out docs/benchmarks/cpu.csv --page docs/performance.md[/dim]
    [dim]holonet bench gpu --out docs/benchmarks/gpu.csv --page docs/performance.md[/dim]
    """
    chosen = suites or [name for name in SUITES if name != "gpu"]
    for name in chosen:
        if name not in SUITES:
            raise UnknownNameError("suite", name, SUITES)
    for path in (out, page):
        if path is not None:
            require_place(path)
    console = Console(stderr=True, quiet=as_json)
    with console.status("running the tests of the fused operations"):
        console.print(f"[green]checked[/green]: {require_green()}")
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # torch's profiler reports each start and end
    about, rows = provenance(), []
    with console.status("measuring") as status, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.compile says of complex tensors what rows show
        for name in chosen:
            measured: Iterator[Row] = measure(
                name, SUITES[name](quick), rounds=rounds, on_case=status.update
            )
            for row in measured:
                rows.append(row)
                write_rows(out, rows, about)
    if page is not None:
        write_atomically(page, performance_page(files_beside(out)))
    if as_json:
        text = json.dumps({"provenance": about, "rows": [asdict(row) for row in rows]})
        typer.echo(text.replace("NaN", "null"))  # of baselines that do not run; JSON has no NaN
        return
    show(_table(rows))
    say(f"The rows are in {out}.")


def _table(rows: list[Row]) -> Table:
    table = Table(title="medians; ratios within rounds, above 1 more than the unit")
    table.add_column("case")
    table.add_column("contender")
    for header in ("median", "ratio", "quartiles"):
        table.add_column(header, justify="right")
    previous = None
    for row in rows:
        name = f"[dim]{row.contender}[/dim]" if row.role == "lower bound" else row.contender
        quartiles = f"{row.ratio_low:.2f} to {row.ratio_high:.2f}"
        case = row.case if row.case != previous else ""
        if row.rounds:
            table.add_row(case, name, f"{row.median:.3g} {row.unit}", f"{row.ratio:.2f}", quartiles)
        else:
            table.add_row(case, name, row.role)
        previous = row.case
    return table
