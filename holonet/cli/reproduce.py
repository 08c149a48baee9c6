"""`holonet reproduce`: what a paper claims, tested."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from holonet.cli.options import JsonFlag, ProcessesOption, count, typed_command
from holonet.cli.settings import configured, require_used, takes_settings
from holonet.cli.terminal import say, show
from holonet.papers.registry import STUDIES, study_named
from holonet.studies.evidence import Verdict
from holonet.studies.runner import StudyResult
from holonet.studies.runner import reproduce as reproduce_study
from holonet.studies.study import Study
from holonet.training import RunConfig, load_data

__all__ = ["reproduce", "run"]

STYLES = {
    Verdict.CONFIRMED: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.REFUTED: "red",
    Verdict.NOT_TESTABLE: "dim",
}


@takes_settings(only=("data.name", "data.root"))
def reproduce(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help=f"The study: {', '.join(STUDIES)}, or path/to/file.py:CLASS for one of your own."
        ),
    ],
    quick: Annotated[bool, typer.Option("--quick", help="The short run, of minutes.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder; reports/NAME, or reports/NAME-quick, if not given.")
    ] = None,
    seeds: Annotated[int | None, count("How many, from 0; at least 2.")] = None,
    epochs: Annotated[int | None, count("Of each training.")] = None,
    processes: ProcessesOption = None,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Test what a paper claims, or you do, claim by claim, over several seeds; write a report.

    Every claim gets a verdict that is computed from intervals over seeds: confirmed,
    undecided, refuted or not testable. Called again after a crash, the study resumes.

    [dim]holonet reproduce shaham2015 --quick[/dim]
    [dim]holonet reproduce shaham2015 --data mnist --data-root ~/data --epochs 10[/dim]
    [dim]holonet reproduce examples/own_study.py:WiderIsMoreRobust --quick[/dim]
    """
    kind = study_named(name)
    config = configured(RunConfig(), settings)
    require_used(settings, [config])
    study = kind(load_data(config.data), seeds=seeds, epochs=epochs)
    run(ctx, study, out, quick=quick, processes=processes, as_json=as_json)


def run(
    ctx: typer.Context,
    study: Study,
    out: Path | None,
    *,
    quick: bool,
    processes: int | None,
    as_json: bool,
) -> None:
    """Run a study and print its verdicts.

    Args:
        ctx: of the command.
        study: what is run.
        out: folder; None for that of the study's name below reports/.
        quick: the short run.
        processes: at once; None for one each core.
        as_json: print the record in place of a table.
    """
    result = reproduce_study(
        study,
        out or Path("reports") / f"{study.name}{'-quick' * quick}",
        quick=quick,
        processes=os.cpu_count() or 1 if processes is None else processes,
        progress=not as_json,
        command=typed_command(ctx, ("out", "as_json", "processes")),
    )
    if as_json:
        typer.echo(json.dumps(result.record))
        return
    _print(study, result)


def _print(study: Study, result: StudyResult) -> None:
    table = Table(title=escape(study.title), show_lines=True)
    for header in ("claim", "verdict", "why"):
        table.add_column(header)
    for claim, finding in zip(study.claims, result.findings, strict=True):
        verdict = f"[{STYLES[finding.verdict]}]{finding.verdict}[/]"
        statement = f"{escape(claim.statement)}\n[dim]{claim.standing}[/dim]"
        table.add_row(statement, verdict, escape(finding.text))
    show(table)
    for key, error in result.failed.items():
        say(f"{key} failed: {error}")
    say(f"\nThe report is {result.report.resolve()}: open it in a browser.")
