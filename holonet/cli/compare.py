"""`holonet compare` and `holonet demo`: several networks side by side."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import rich.table
import typer

from holonet._files import write_atomically
from holonet._page import Table
from holonet._provenance import provenance
from holonet.cli.attack import threat_of, threats_of
from holonet.cli.options import (
    RULE_NAMES,
    ExamplesOption,
    JsonFlag,
    NormOption,
    amount,
    count,
    digits,
    given,
    parse_numbers,
    seed_option,
    typed_command,
)
from holonet.cli.settings import configured, described, fitted, require_used, takes_settings
from holonet.cli.terminal import literal, say, show
from holonet.errors import ConfigError, MissingDependencyError, RunExistsError
from holonet.experiments import (
    EPS,
    Contender,
    Outcome,
    Protocol,
    accuracy_table,
    certified_table,
    difference_table,
    pairs_table,
    places_searched,
    run_demo,
)
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
    """Train a ReLU network and its holomorphic counterparts, attack and certify them, report.

    Each of four networks differs from the one before it in one thing: the linearized rule, which
    runs no attack; z^2 in place of ReLU; complex coefficients. All have the same number of real
    parameters. About a minute on two cores with the bundled digits.

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
    outcomes, certified, report = run_demo(
        load_data(source),
        out,
        source=source,
        seed=seed,
        epochs=epochs,
        command=command,
        progress=not as_json,
    )
    if as_json:
        found = {"outcomes": outcomes, "certified": certified}
        results = {name: [one.to_json() for one in each] for name, each in found.items()}
        typer.echo(json.dumps({"report": str(report), **results}))
        return
    _show(accuracy_table(outcomes, [EPS], "PGD"))
    _show(certified_table(certified))
    say(f"\nThe report is {report.resolve()}: open it in a browser.")


@takes_settings(
    {"rule.steps": "train-steps", "rule.norm": "train-norm"},
    without=(
        "model.module",
        "model.coefficients",
        "model.activation",
        "model.match",
        "model.threshold",
        "rule.name",
        "rule.eps",
        "train.seed",
    ),
)
def compare(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")] = Path(
        "runs/compare"
    ),
    networks: Annotated[
        str,
        typer.Option(
            help="COEFFICIENTS-ACTIVATION: complex or real, and one of holonet list activations, "
            "or real-relu."
        ),
    ] = "complex-square,real-square,real-relu",
    match: Annotated[str, typer.Option(help=described("model.match")[0])] = "parameters",
    thresholds: Annotated[
        str, typer.Option(help="In front of each network, of none, shared, channel.")
    ] = "none",
    rules: Annotated[
        str,
        typer.Option(
            help=f"Of {RULE_NAMES}; linearized@center and the like say where in the box of "
            "perturbations."
        ),
    ] = "linearized,standard",
    reference: Annotated[
        str | None,
        typer.Option(
            help="A row by its name, whose accuracies are subtracted from each other row's; with "
            "several seeds the first one, if absent.",
            show_default=False,
        ),
    ] = None,
    train_eps: Annotated[
        float | None, amount("Radius that the rules train for; the first of eps unless given.")
    ] = None,
    seeds: Annotated[int, count("How many seeds.")] = 1,
    first_seed: Annotated[int, seed_option("The first of them.")] = 0,
    attack: Annotated[str, typer.Option(help="pgd, strong (ours), autoattack.")] = "pgd",
    eps: Annotated[str, typer.Option(help="Radii of the attack, such as 0.1,0.2,0.3.")] = "0.1",
    norm: NormOption = None,
    steps: Annotated[int, count("Of PGD.")] = 40,
    restarts: Annotated[int, count("Of PGD.")] = 3,
    examples: ExamplesOption = 1000,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Every network, with every threshold, under every rule: accuracies, and what a step costs.

    Separates what the rule does from what an analytic activation and complex coefficients do.
    Widths are those of the network with complex coefficients; the others have as many real
    parameters. With several seeds the report has the differences of all rows, paired over seeds,
    with intervals. Called again after a crash, it resumes. The folder keeps each run, the results
    in results.jsonl, and report.html.

    [dim]holonet compare --seeds 3[/dim]
    [dim]holonet compare --networks complex-square,real-square,real-gelu,real-relu --match macs
    --eps 0.1,0.2 --out runs/macs[/dim]
    [dim]holonet compare --thresholds none,shared --rules linearized@data,linearized@center,pgd
    --eps 0.1,0.2,0.3 --train-eps 0.3 --schedule linear --out runs/thresholds[/dim]
    [dim]holonet compare --data reflections --lift pair --readout modulus
    --out runs/reflections[/dim]
    [dim]holonet compare --data mnist --data-root ~/data --hidden 256,256 --epochs 6
    --batch-size 256 --lr 0.003 --weight 0.3 --rules standard,fgsm-rs,pgd,trades,analytic,linearized
    --attack autoattack --seeds 3 --out runs/mnist[/dim]
    """
    threats = threats_of(norm, parse_numbers(eps, "--eps"))
    radii = [threat.eps for threat in threats]
    if attack != "pgd" and (idle := given(ctx, ("steps", "restarts"))):
        raise ConfigError(
            f"--{' and --'.join(idle)} changes nothing with --attack {attack}: leave it out, or "
            "choose --attack pgd"
        )
    if attack == "autoattack":
        require_autoattack()  # before the training
    protocol = Protocol(threats[0], (0.0, *radii), steps, restarts, examples, attack)
    radius = digits(radii[0] if train_eps is None else train_eps)
    runs: dict[str, RunConfig] = {}
    choices = (text.split(",") for text in (networks, thresholds, rules))
    for network, threshold, rule in itertools.product(*choices):
        label, chosen = _network(network, match, threshold)
        runs[f"{label}, {rule}"] = configured(
            RunConfig(), {"rule.eps": radius, **settings, **chosen, **_rule(rule)}
        )
    if reference is not None and reference not in runs:
        raise ConfigError(f"--reference {reference!r}: the rows are {'; '.join(runs)}")
    own = {"match": "model.match", "train_eps": "rule.eps"}
    require_used([*settings, *(own[o] for o in given(ctx, own))], list(runs.values()))
    base = next(iter(runs.values()))
    data = load_data(base.data)
    threat, *_ = [threat_of(each, data, default=norm is None) for each in threats]
    protocol = replace(protocol, threat=threat)
    runs = {label: fitted(run, settings, data) for label, run in runs.items()}
    outcomes = run_comparison(
        [Contender(label, run.model, run.rule) for label, run in runs.items()],
        data,
        base.train,
        protocol,
        folder=out,
        source=base.data,
        seeds=range(first_seed, first_seed + seeds),
        progress=not as_json,
    )
    rows = [outcome.to_json() for outcome in outcomes]
    write_atomically(out / "results.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    if as_json:
        typer.echo(json.dumps(rows))
        return
    baseline = "standard" if "standard" in rules.split(",") else None
    accuracies = accuracy_table(outcomes, radii, attack, baseline, protocol.threat.norm)
    if reference is None and seeds > 1 and len(runs) > 1:
        reference = next(iter(runs))
    differences = []
    if reference is not None:
        differences.append(difference_table(outcomes, radii, attack, reference))
    for table in (accuracies, *differences):
        _show(table)
    if (pairs := pairs_table(outcomes, radii, attack)) is not None:
        differences.append(pairs)
    for line in places_searched(outcomes):
        say(line)
    facts = {"command": typed_command(ctx), **provenance()}
    say(f"\n{_report(out, outcomes, protocol, accuracies, differences, facts)}")
    say(f"The runs and results.jsonl are in {out}; call the command again to resume.")


def _report(out: Path, outcomes: Sequence[Outcome], protocol: Protocol, *parts: Any) -> str:
    """Write the page; say where it is, or what is missing to draw it."""
    try:
        from holonet.experiments.comparison_report import comparison_report
        from holonet.plots import write_report
    except MissingDependencyError as error:
        return f"No report: {error}"
    page = write_report(comparison_report(outcomes, protocol, *parts), out / "report.html")
    return f"The report is {page.resolve()}: open it in a browser."


def _network(name: str, match: str, threshold: str) -> tuple[str, dict[str, str]]:
    """The label and the settings of a network by its name.

    Example:
        >>> label, settings = _network("real-sin", "macs", "shared")
        >>> label, settings["model.coefficients"], settings["model.activation"]
        ('real sin, shared threshold', 'real', 'sin')
    """
    coefficients, hyphen, activation = name.partition("-")
    if not hyphen:
        raise ConfigError(
            f"--networks {name}: write COEFFICIENTS-ACTIVATION, such as complex-square, "
            "real-square or real-relu"
        )
    settings = {
        "model.coefficients": coefficients,
        "model.activation": activation,
        "model.threshold": threshold,
    }
    if coefficients != "complex":
        settings["model.match"] = match
    behind = "" if threshold == "none" else f", {threshold} threshold"
    return f"{coefficients} {activation}{behind}", settings


def _rule(name: str) -> dict[str, str]:
    """The settings of a rule by its name.

    Example:
        >>> _rule("linearized@center")
        {'rule.name': 'linearized', 'rule.at': 'center'}
    """
    rule, _, place = name.partition("@")
    if place and rule != "linearized":
        raise ConfigError(f"--rules {name}: only linearized takes @ and a point of the box")
    return {"rule.name": rule, "rule.at": place} if place else {"rule.name": rule}


def _show(table: Table) -> None:
    """A table on the terminal; names are never cut."""
    shown = rich.table.Table(title=literal(table.caption))
    name, *headers = table.headers
    shown.add_column(name, no_wrap=True)
    for header in headers:
        shown.add_column(header, justify="right", min_width=max(map(len, header.split())))
    for row in table.rows:
        shown.add_row(*map(literal, row))
    show(shown)
