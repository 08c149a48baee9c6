"""`holonet compare` and `holonet demo`: several networks side by side."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from holonet.attacks import ThreatModel
from holonet.cli.options import (
    RULE_NAMES,
    EpsOption,
    ExamplesOption,
    JsonFlag,
    amount,
    count,
    digits,
    given,
    seed_option,
)
from holonet.cli.settings import configured, require_used, takes_settings
from holonet.cli.terminal import say, show
from holonet.errors import ConfigError, RunExistsError
from holonet.experiments import Contender, Outcome, Protocol, relative_cost, run_demo
from holonet.experiments import compare as run_comparison
from holonet.interop import require_autoattack
from holonet.training import RunConfig, load_data

__all__ = ["compare", "demo"]


@takes_settings(only=("data.name", "data.root"))
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the report and the runs.")] = Path(
        "reports/demo"
    ),
    seed: Annotated[int, seed_option("Of everything random.")] = 0,
    epochs: Annotated[int, count("Passes over the training set.")] = 40,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report.")] = False,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Train a plain real network and a holomorphic one, attack both, write a report.

    Both have the same number of real parameters; the holomorphic one is trained by the
    linearized rule, without any attack. About a minute on two cores with the bundled digits.

    [dim]holonet demo[/dim]
    [dim]holonet demo --data mnist --data-root ~/data --epochs 6 --out reports/mnist[/dim]
    """
    report = out / "report.html"
    if report.exists() and not overwrite:
        raise RunExistsError(f"{report} exists: give --overwrite, or another folder with --out")
    config = configured(RunConfig(), settings)
    require_used(settings, [config])
    source = config.data
    command = f"holonet demo --data {source.name} --seed {seed} --epochs {epochs}"
    outcomes, report = run_demo(
        load_data(source),
        out,
        source=source,
        seed=seed,
        epochs=epochs,
        command=command,
        progress=not as_json,
    )
    if as_json:
        typer.echo(json.dumps({"report": str(report), "outcomes": [o.to_json() for o in outcomes]}))
        return
    _print(outcomes, 0.1, "PGD")
    say(f"\nThe report is {report.resolve()}: open it in a browser.")


@takes_settings(
    {"rule.steps": "train-steps", "rule.norm": "train-norm"},
    without=("model.kind", "rule.name", "rule.eps", "train.seed"),
)
def compare(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")] = Path(
        "runs/compare"
    ),
    networks: Annotated[
        str, typer.Option(help="Of holomorphic, real, real-parameter-matched, real-mac-matched.")
    ] = "holomorphic,real-parameter-matched",
    rules: Annotated[str, typer.Option(help=f"Of {RULE_NAMES}.")] = "linearized,standard",
    train_eps: Annotated[
        float | None, amount("Radius that the rules train for; eps unless given.")
    ] = None,
    seeds: Annotated[int, count("How many seeds.")] = 1,
    first_seed: Annotated[int, seed_option("The first of them.")] = 0,
    attack: Annotated[str, typer.Option(help="pgd, strong (ours), autoattack.")] = "pgd",
    eps: EpsOption = 0.1,
    steps: Annotated[int, count("Of PGD.")] = 40,
    restarts: Annotated[int, count("Of PGD.")] = 3,
    examples: ExamplesOption = 1000,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Every network under every rule: clean and robust accuracy, and what a step costs.

    Separates what the architecture does from what the rule does. A real twin has the real
    parameter count of the holomorphic network. Called again after a crash, it resumes.

    [dim]holonet compare --seeds 3[/dim]
    [dim]holonet compare --data mnist --data-root ~/data --hidden 256,256 --epochs 6
    --batch-size 256 --lr 0.003 --weight 0.3 --rules standard,fgsm-rs,pgd,trades,analytic,linearized
    --attack autoattack --seeds 3 --out runs/mnist[/dim]
    """
    threat = ThreatModel("Linf", eps)
    if attack != "pgd" and (idle := given(ctx, ("steps", "restarts"))):
        raise ConfigError(
            f"--{' and --'.join(idle)} changes nothing with --attack {attack}: leave it out, or "
            "choose --attack pgd"
        )
    if attack == "autoattack":
        require_autoattack()  # before the training
    protocol = Protocol(threat, (0.0, eps), steps, restarts, examples, attack)
    radius = digits(eps if train_eps is None else train_eps)
    runs = {
        f"{network}, {name}": configured(
            RunConfig(),
            {"rule.eps": radius, **settings, "model.kind": network, "rule.name": name},
        )
        for network in networks.split(",")
        for name in rules.split(",")
    }
    trained = [] if train_eps is None else ["rule.eps"]
    require_used([*settings, *trained], list(runs.values()))
    base = next(iter(runs.values()))
    outcomes = run_comparison(
        [Contender(label, run.model, run.rule) for label, run in runs.items()],
        load_data(base.data),
        base.train,
        protocol,
        folder=out,
        source=base.data,
        seeds=range(first_seed, first_seed + seeds),
        progress=not as_json,
    )
    if as_json:
        typer.echo(json.dumps([o.to_json() for o in outcomes]))
        return
    _print(outcomes, eps, attack, baseline="standard")
    say(f"\nThe runs are in {out}; call the command again to resume.")


def _print(
    outcomes: Sequence[Outcome], eps: float, attack: str, baseline: str | None = None
) -> None:
    """One row for each label: mean over seeds, and the range where there are several.

    With a baseline, the rule of that name, also the time of a step over the same network's there.
    """
    table = Table(title=f"accuracy clean and under {attack}, l_inf {digits(eps)}")
    table.add_column("network, rule")
    headers = ["real parameters", "seeds", "clean %", f"{attack} % at {digits(eps)}", "ms a step"]
    for header in [*headers, *([f"x {baseline}"] if baseline else [])]:
        table.add_column(header, justify="right")
    for label in dict.fromkeys(o.label for o in outcomes):
        rows = [o for o in outcomes if o.label == label]
        cells = [
            label,
            str(rows[0].parameters),
            str(len(rows)),
            _spread([100 * o.clean for o in rows]),
            _spread([100 * o.at(eps).accuracy for o in rows]),
            _spread([o.step_ms for o in rows]),
        ]
        if baseline:
            network = label.rsplit(", ", 1)[0]
            ratios = relative_cost(outcomes, label, f"{network}, {baseline}")
            cells.append(_spread(ratios) if ratios else "-")
        table.add_row(*cells)
    show(table, least=100)


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
