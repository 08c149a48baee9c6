"""`holonet attack`: chosen attacks on a finished run, each on its own."""

import functools
import inspect
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import torch
import typer
from rich.table import Table
from torch import nn

from holonet._files import write_atomically
from holonet._progress import progress_bar
from holonet._types import AnyTensor
from holonet.attacks import ThreatModel
from holonet.attacks.worst_case import ATTACKS, STRONG, Attack
from holonet.cli.options import (
    LATEST,
    EpsOption,
    ExamplesOption,
    JsonFlag,
    NormOption,
    OtherDataFlag,
    QueriesOption,
    RestartsOption,
    RunArgument,
    SeedOption,
    StepsOption,
    digits,
)
from holonet.cli.terminal import literal, printable, say, show
from holonet.data import Dataset
from holonet.diagnostics import RobustnessReport, TransferMatrix, evaluate_robustness
from holonet.diagnostics import transfer_matrix as transfer_between
from holonet.errors import (
    ConfigError,
    DataError,
    DomainError,
    HolonetError,
    MissingDependencyError,
    UnknownNameError,
)
from holonet.interop import (
    autoattack,
    from_art,
    from_foolbox,
    from_torchattacks,
    require_autoattack,
    require_toolkit,
)
from holonet.nn.modes import evaluating
from holonet.training import load, load_run
from holonet.training.run_folder import require_inside, require_trained_on

__all__ = [
    "BATCH",
    "attack",
    "attacks_named",
    "box_of",
    "percent",
    "save_picture",
    "threat_of",
    "threats_of",
]

BATCH = 500  # examples attacked at once
COLUMNS = 8  # examples in the picture

TOOLKITS = {"torchattacks": from_torchattacks, "foolbox": from_foolbox, "art": from_art}


def attack(
    run_dir: RunArgument = LATEST,
    names: Annotated[
        str,
        typer.Option(
            "--attack",
            help="Names with commas, each on its own: pgd, apgd-ce, square, strong, autoattack, "
            "torchattacks:PGD and so on.",
        ),
    ] = "apgd-ce,square",
    eps: EpsOption = 0.1,
    norm: NormOption = None,
    steps: StepsOption = None,
    restarts: RestartsOption = None,
    queries: QueriesOption = None,
    examples: ExamplesOption = 1000,
    seed: SeedOption = 0,
    transfer: Annotated[
        str | None, typer.Option(help="Other finished runs, with commas: who fools whom.")
    ] = None,
    other_data: OtherDataFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Attack the test set with each attack on its own, and keep its points.

    Each attack sees every example, in holonet evaluate those alone that the earlier ones left. The
    points of each example, the numbers and a picture go to the folder attacks in the run folder.
    With --transfer, the first attack also makes points for each of the runs, to be tried on all.

    [dim]holonet attack runs/mnist --attack apgd-ce,square --eps 0.1[/dim]
    [dim]holonet attack runs/a --transfer runs/b,runs/c --attack pgd[/dim]
    """
    (threat,) = threats_of(norm, [eps])  # checked before the data are read
    chosen = attacks_named(names, steps=steps, restarts=restarts, queries=queries)
    _, dataset, network = load_run(run_dir, other_data=other_data)
    require_inside(run_dir)
    others = {}
    if transfer is not None:
        runs = [run_dir, *(Path(name.strip()) for name in transfer.split(","))]
        others = _networks(runs, dataset, other_data)
    threat = threat_of(threat, dataset, default=norm is None)
    x, y = dataset.x_test[:examples], dataset.y_test[:examples]
    folder = run_dir / "attacks" / f"{threat.norm}-{digits(eps)}"
    batches = -(-len(y) // BATCH)
    reports: dict[str, RobustnessReport] = {}
    matrix = None
    with progress_bar(not as_json) as bar:
        for name, one in chosen.items():
            reports[name] = evaluate_robustness(
                network,
                x,
                y,
                threat,
                attacks={name: one},
                seed=seed,
                batch_size=BATCH,
                folder=folder / "batches",
                on_batch=functools.partial(bar.advance, bar.add_task(name, total=batches)),
            )
            reports[name].save(folder / f"{re.sub('[:/]', '-', name)}.npz")
        if others:
            task = bar.add_task("transfer", total=len(others))
            first, advance = next(iter(chosen.values())), functools.partial(bar.advance, task)
            matrix = transfer_between(
                others, x, y, threat, attack=first, seed=seed, batch_size=BATCH, on_batch=advance
            )
    result: dict[str, Any] = {
        "run": str(run_dir),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "norm": threat.norm,
        "eps": eps,
        "bounds": threat.bounds,
        "attacks": {name: report.to_json() for name, report in reports.items()},
    }
    if matrix is not None:
        result["transfer"] = matrix.to_json()
    write_atomically(folder / "attack.json", json.dumps(result, indent=1))
    notes = _draw(folder, x, reports, matrix, network)
    if as_json:
        typer.echo(json.dumps(result))
        return
    show(_table(run_dir, reports, threat))
    say(box_of(threat, list(reports.values())))
    if matrix is not None:
        show(_transfer_table(matrix))
        for name, place in zip(matrix.names, matrix.searched_in, strict=True):
            if place:
                say(f"The attack of {name} searched in {place}.")
    alarms = [alarm for report in reports.values() for alarm in report.alarms]
    for alarm in (*alarms, *(matrix.alarms if matrix is not None else ())):
        say(f"alarm: {alarm}")
    say("\n".join([*notes, f"The points and the pictures are in {folder}."]))


def attacks_named(
    text: str,
    *,
    steps: int | None = None,
    restarts: int | None = None,
    queries: int | None = None,
) -> dict[str, Attack]:
    """The attacks of a list with commas, each with as much of the budget as it takes.

    "strong" stands for the ensemble of that name, "autoattack" for AutoAttack, and
    "<toolkit>:<name>" for an attack of torchattacks, foolbox or art.

    Raises:
        UnknownNameError: no such attack or toolkit.
        MissingDependencyError: AutoAttack or a toolkit is not installed.
        ConfigError: none of the attacks takes a part of the budget.

    Example:
        >>> list(attacks_named("pgd,square", steps=10))
        ['pgd', 'square']
    """
    given = {"steps": steps, "restarts": restarts, "queries": queries}
    budget = {key: value for key, value in given.items() if value is not None}
    found: dict[str, Attack] = {}
    for name in (part.strip() for part in text.split(",")):
        toolkit, _, kind = name.partition(":")
        if name == "strong":
            found |= {key: _budgeted(one, budget) for key, one in STRONG.items()}
        elif name == "autoattack":
            require_autoattack()
            found[name] = autoattack
        elif name in ATTACKS:
            found[name] = _budgeted(ATTACKS[name], budget)
        elif kind and toolkit in TOOLKITS:
            require_toolkit(toolkit, name)
            found[name] = TOOLKITS[toolkit](kind)
        else:
            known = [*ATTACKS, "strong", "autoattack", *(f"{kit}:<name>" for kit in TOOLKITS)]
            raise UnknownNameError("attack", name, known)
    taken = {
        key for one in found.values() if isinstance(one, functools.partial) for key in one.keywords
    }
    if idle := sorted(budget.keys() - taken):
        raise ConfigError(
            f"--{', --'.join(idle)} changes nothing for {', '.join(found)}: leave it out, or "
            "choose an attack that takes it"
        )
    return found


def threats_of(norm: str | None, radii: Sequence[float]) -> list[ThreatModel]:
    """The threats of these radii, in l_inf without a norm, before the data are known.

    Raises:
        ConfigError: no such norm or radius.
    """
    return [ThreatModel("Linf" if norm is None else norm, radius, None) for radius in radii]


def threat_of(threat: ThreatModel, dataset: Dataset, *, default: bool) -> ThreatModel:
    """The threat in the box of the data.

    Args:
        threat: without a box.
        dataset: that is attacked.
        default: whether the norm is the default, which is the polydisc for complex data.

    Raises:
        DomainError: complex data, and a norm for real ones.
    """
    if dataset.is_complex and default:
        return ThreatModel("polydisc", threat.eps, None)
    if dataset.is_complex and threat.norm in ("Linf", "L2", "L1"):
        raise DomainError(
            f"{dataset.name} is complex, and {threat.norm} is a norm of real data: "
            "--norm polydisc, or --norm complex_ball"
        )
    return replace(threat, bounds=dataset.bounds)


def box_of(threat: ThreatModel, reports: Sequence[RobustnessReport]) -> str:
    """In words, the box that perturbed examples stay in, and where the attacks searched."""
    places = sorted({report.searched_in for report in reports} - {""})
    searched = f" Searched in {' and '.join(places)}." if places else ""
    if threat.bounds is None:
        reason = "complex" if threat.is_complex else "not all in [0, 1]"
        return f"Attacked without a box: the data are {reason}.{searched}"
    low, high = map(digits, threat.bounds)
    return f"Attacked in the box [{low}, {high}].{searched}"


def percent(value: float | None, interval: Sequence[float] | None = None) -> str:
    """A fraction as percent, or an interval if one is given.

    Example:
        >>> percent(0.5), percent(0.5, (0.25, 0.75)), percent(None)
        ('50.0', '25.0 to 75.0', '-')
    """
    if interval is not None:
        return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
    return "-" if value is None else f"{100 * value:.1f}"


def save_picture(path: Path, draw: Callable[[], Any]) -> str | None:
    """Draw and save a figure; the reason instead, if there is nothing to draw it with or of."""
    try:
        content = io.BytesIO()
        draw().savefig(content, format="png", dpi=150)
    except (MissingDependencyError, ValueError) as error:  # ValueError: of MPLBACKEND too
        return f"no picture {path.name}: {error}"
    write_atomically(path, content.getvalue())
    return None


def _budgeted(one: Attack, budget: dict[str, int]) -> Attack:
    """The attack with those options of the budget that it takes."""
    taken = inspect.signature(one).parameters
    mine = {key: value for key, value in budget.items() if key in taken}
    return functools.partial(one, **mine) if mine else one


def _networks(folders: Sequence[Path], dataset: Dataset, other_data: bool) -> dict[str, nn.Module]:
    """The networks of runs, each of which takes the data and knows their classes."""
    found = {}
    for folder in folders:
        if not other_data:
            require_trained_on(folder, dataset)
        found[printable(str(folder))] = network = load(folder)
        try:
            logits = network(dataset.x_test[:1])
        except HolonetError as error:
            raise DataError(f"{folder} does not fit {dataset!r}: {error}") from None
        if logits.shape[1] != dataset.num_classes:
            raise DataError(
                f"{folder} knows {logits.shape[1]} classes, which does not fit {dataset!r}: choose "
                "runs on data with the same classes"
            )
    return found


def _draw(
    folder: Path,
    x: AnyTensor,
    reports: dict[str, RobustnessReport],
    matrix: TransferMatrix | None,
    network: nn.Module,
) -> list[str]:
    """The pictures; notes on those that there are none of."""

    def examples() -> Any:
        from holonet.plots import plot_examples

        name, report = min(reports.items(), key=lambda pair: pair[1].robust.correct)
        withstood = torch.tensor([by in ("", "clean") for by in report.broken_by]).int()
        index = withstood.argsort(stable=True)[:COLUMNS]  # what the attack broke comes first
        x_adv = report.x_adv[index]
        with evaluating(network), torch.no_grad():
            answers = network(x_adv).argmax(1)
        return plot_examples(
            x[index],
            x_adv,
            labels=report.y[index],
            answers=answers,
            count=COLUMNS,
            title=f"{name}, {report.threat.norm} {digits(report.threat.eps)}",
        )

    def transfer() -> Any:
        from holonet.plots import plot_transfer

        return plot_transfer(cast("TransferMatrix", matrix))

    pictures = [examples] if matrix is None else [examples, transfer]
    notes = [save_picture(folder / f"{draw.__name__}.png", draw) for draw in pictures]
    return [note for note in notes if note is not None]


def _table(run_dir: Path, reports: dict[str, RobustnessReport], threat: ThreatModel) -> Table:
    table = Table(title=literal(f"{run_dir}: {threat.norm} {digits(threat.eps)}"))
    table.add_column("attack")
    for header in ("accuracy %", "95% interval", "examples"):
        table.add_column(header, justify="right")
    first = next(iter(reports.values()))
    rows = {"none": first.clean} | {name: report.robust for name, report in reports.items()}
    for name, point in rows.items():
        interval = percent(None, point.interval)
        table.add_row(literal(name), percent(point.accuracy), interval, str(point.examples))
    return table


def _transfer_table(matrix: TransferMatrix) -> Table:
    table = Table(title=f"fooled %, of {matrix.examples} examples that all get right")
    table.add_column("made for")
    for name in matrix.names:
        table.add_column(literal(name), justify="right")
    for name, row in zip(matrix.names, matrix.fooled, strict=True):
        table.add_row(literal(name), *(percent(rate.value) for rate in row))
    table.add_row("random signs", *(percent(rate.value) for rate in matrix.control))
    return table
