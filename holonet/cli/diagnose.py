"""`holonet diagnose` and `holonet check`: what a model is, whoever made it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from holonet._files import require_place, write_atomically
from holonet._progress import progress_bar
from holonet._provenance import provenance
from holonet._subject import Subject
from holonet._types import Labels, Points
from holonet.cli.options import (
    JsonFlag,
    RootOption,
    count,
    parse_numbers,
    seed_option,
    typed_command,
)
from holonet.cli.terminal import say
from holonet.data import load_dataset
from holonet.diagnostics import SECTIONS
from holonet.diagnostics import diagnose as diagnosis_of
from holonet.errors import ConfigError, HolonetError, MissingDependencyError
from holonet.experiments.targets import FORMS, Target, load_target

__all__ = ["check", "diagnose"]

CHECKED = 8  # examples

TargetArgument = Annotated[str, typer.Argument(help=f"{FORMS[:1].upper()}{FORMS[1:]}.")]
DataOption = Annotated[
    str | None,
    typer.Option(help="Data set by name, or a .npz file; that of a run unless given."),
]
SeedOption = Annotated[int, seed_option("Of everything random.")]


def diagnose(
    ctx: typer.Context,
    target: TargetArgument,
    data: DataOption = None,
    data_root: RootOption = None,
    baseline: Annotated[
        str, typer.Option(help="A target beside it; untrained: its own twin; none.")
    ] = "untrained",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report.", show_default="reports/diagnose-*")
    ] = None,
    sections: Annotated[
        str, typer.Option(help=f"Names with commas: {', '.join(SECTIONS)}.")
    ] = ",".join(SECTIONS),
    examples: Annotated[int, count("Test examples for derivatives, spheres and lines.")] = 16,
    attacked: Annotated[int, count("Test examples that are attacked.")] = 200,
    eps: Annotated[str | None, typer.Option(help="Radii of attacks, such as 0.05,0.1.")] = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Whether a model is holomorphic or continues, how harmonic, steep and robust it is, and why.

    The model may be anybody's. The report is report.html in the folder, all numbers are in
    diagnosis.json. Each finished section is kept there, and the same command resumes. Targets
    other than runs may run code: load what you trust.

    [dim]holonet diagnose runs/digits[/dim]
    [dim]holonet diagnose mymodels:trained_cnn --data digits --baseline mymodels:other[/dim]
    [dim]holonet diagnose model.pt2 --data my.npz --out reports/model[/dim]
    """
    radii = None if eps is None else parse_numbers(eps, "--eps")
    found = load_target(target, with_data=data is None)
    beside: Any = {"untrained": "untrained", "none": None}.get(baseline.lower(), baseline)
    if isinstance(beside, str) and beside != "untrained":
        beside = load_target(beside).model
    x, y, about = _data(found, data, data_root)
    folder = out or Path("reports") / f"diagnose-{_file_name(target)}"
    require_place(folder / "report.html")
    with progress_bar(not as_json) as bar:
        task = bar.add_task("", total=None)
        result = diagnosis_of(
            found.model,
            x,
            y,
            baseline=beside,
            sections=[name for name in sections.split(",") if name],
            examples=min(examples, len(x)),
            attacked=min(attacked, len(x)),
            eps=radii,
            seed=seed,
            folder=folder / "sections",
            on_step=lambda name: bar.update(task, description=name, advance=1),
        )
    subject = {"target": target, "place": found.kind, "data": about, **result.subject}
    result = replace(result, subject=subject)
    facts = {"command": typed_command(ctx), "seed": seed, **provenance()}
    content = {**result.to_json(), "provenance": facts}
    write_atomically(folder / "diagnosis.json", json.dumps(content, indent=1) + "\n")
    note = _write_page(result, folder / "report.html", facts)
    if as_json:
        typer.echo(json.dumps(content))
        return
    say(result.text())
    say(note)


def check(
    target: TargetArgument,
    data: DataOption = None,
    data_root: RootOption = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Whether a model is holomorphic, or a real one continues holomorphically: an exit code.

    0: no violation found. 1: it is not, or that is undecided; the line says where and what to
    change. 2: the target or the data cannot be used. Without data and without a run the points
    are normal random numbers, as many as the first layer takes.

    [dim]holonet check runs/digits[/dim]
    [dim]holonet check mymodels:Net --data digits[/dim]
    """
    found = load_target(target, with_data=data is None)
    if found.data is None and data is None:
        try:
            x = Subject(found.model, seed=seed).z
        except HolonetError as error:
            raise ConfigError(f"{target}: {error}. Or name data, --data digits") from None
        x = x.real if _is_real(found) else x
    else:
        x, _, _ = _data(found, data, data_root)
    result = diagnosis_of(
        found.model, x[:CHECKED], baseline=None, sections=["holomorphy"], seed=seed
    )
    section = result["holomorphy"]
    if as_json:
        typer.echo(json.dumps({"target": target, **section.to_json()}))
    else:
        say(f"{target}: {section.verdict}")
        for line in section.advice:
            say(f"try: {line}")
    if section.answer != "yes":
        raise typer.Exit(1)


def _is_real(target: Target) -> bool:
    """Whether no parameter is complex."""
    return not any(p.is_complex() for p in target.model.parameters())


def _data(target: Target, name: str | None, root: Path | None) -> tuple[Points, Labels, str]:
    """The test examples, their labels and what they are."""
    data = target.data if name is None else load_dataset(name, root)
    if data is None:
        raise ConfigError(
            f"{target.name} has no data of its own: name a data set (--data digits) or a file "
            "(--data my.npz, with the keys x and y, or x_test and y_test and so on)"
        )
    return data.x_test, data.y_test, f"{data!r}, fingerprint {data.fingerprint()}"


def _file_name(target: str) -> str:
    """A name of a folder for a target."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in target).strip("-.") or "model"


def _write_page(result: Any, path: Path, facts: dict[str, Any]) -> str:
    """Write the report and say where it is, or why there is none."""
    try:
        from holonet.plots.diagnosis import diagnosis_report
        from holonet.plots.reports import write_report
    except MissingDependencyError as missing:
        return f"No report: {missing}."
    write_report(diagnosis_report(result, facts), path)
    return f"The report is {path}."
