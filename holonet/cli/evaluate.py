"""`holonet evaluate`: what a finished run withstands, and whether to believe it."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.table import Table

from holonet._files import write_atomically
from holonet._progress import progress_bar
from holonet._provenance import provenance
from holonet.attacks import ThreatModel
from holonet.cli.attack import (
    BATCH,
    attacks_named,
    box_of,
    percent,
    save_picture,
    threat_of,
    threats_of,
)
from holonet.cli.options import (
    LATEST,
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
    parse_numbers,
)
from holonet.cli.terminal import literal, say, show
from holonet.diagnostics import (
    GradientMaskingCheck,
    MinimumNorms,
    RobustnessReport,
    evaluate_radii,
    gradient_masking_checks,
    minimum_norm_perturbations,
)
from holonet.training import load_run
from holonet.training.run_folder import require_inside

__all__ = ["evaluate"]

LOOKED_AT = 200  # examples for the checks of gradient masking
CHECKS = 7


def evaluate(
    run_dir: RunArgument = LATEST,
    names: Annotated[
        str,
        typer.Option(
            "--attack",
            help="Names with commas, one after the other: strong, autoattack, pgd, apgd-ce, "
            "square, torchattacks:PGD and so on.",
        ),
    ] = "strong",
    eps: Annotated[str, typer.Option(help="Radii, such as 0.05,0.1.")] = "0.1",
    norm: NormOption = None,
    steps: StepsOption = None,
    restarts: RestartsOption = None,
    queries: QueriesOption = None,
    examples: ExamplesOption = 1000,
    seed: SeedOption = 0,
    sanity: Annotated[bool, typer.Option(help="Look for masked gradients.")] = True,
    distances: Annotated[bool, typer.Option(help="Distance to the nearest mistake.")] = False,
    other_data: OtherDataFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Clean accuracy, and the worst case over an ensemble of attacks, with Wilson intervals at 95%.

    Each attack sees the examples that the earlier ones left. The numbers are kept in
    evaluation.json in the run folder, a picture beside it, and the points of each example in the
    folder evaluation; an interrupted call resumes there. Attacks give an upper bound on robust
    accuracy, never a guarantee: the sanity checks list signs of gradient masking.

    [dim]holonet evaluate runs/mnist --eps 0.1,0.2[/dim]
    [dim]holonet evaluate runs/mnist --attack autoattack --examples 500[/dim]
    """
    # every radius and name is checked before the data are read
    threats = threats_of(norm, parse_numbers(eps, "--eps"))
    chosen = attacks_named(names, steps=steps, restarts=restarts, queries=queries)
    _, dataset, network = load_run(run_dir, other_data=other_data)
    require_inside(run_dir)
    x, y = dataset.x_test[:examples], dataset.y_test[:examples]
    radii = sorted({0.0, *(threat.eps for threat in threats)})
    threat = threat_of(threats[0], dataset, default=norm is None)
    norm = threat.norm
    batches = -(-len(y) // BATCH)
    checks: list[GradientMaskingCheck] = []
    found: MinimumNorms | None = None
    with progress_bar(not as_json) as bar:
        task = bar.add_task("attacking", total=len(radii) * batches)
        reports = evaluate_radii(
            network,
            x,
            y,
            radii,
            threat,
            attacks=chosen,
            seed=seed,
            batch_size=BATCH,
            folder=run_dir / "evaluation",
            on_batch=lambda: bar.advance(task),
        )
        for report in reports:
            name = f"{norm}-{digits(report.threat.eps)}.npz"
            report.save(run_dir / "evaluation" / name)
        threat = _doubtful(reports)
        can_look = bool((reports[0].clean_margin[:LOOKED_AT] > 0).any()) and threat.eps > 0
        if sanity and can_look:
            looking = bar.add_task("sanity", total=CHECKS)
            checks = gradient_masking_checks(
                network,
                x[:LOOKED_AT],
                y[:LOOKED_AT],
                threat,
                seed=seed,
                on_check=lambda: bar.advance(looking),
            )
        if distances and radii[-1] > 0:
            measuring = bar.add_task("distances", total=batches)
            found = minimum_norm_perturbations(
                network,
                x,
                y,
                replace(threat, eps=radii[-1]),
                batch_size=BATCH,
                on_batch=lambda: bar.advance(measuring),
            )
    result: dict[str, Any] = {
        "run": str(run_dir),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "attack": {
            "norm": norm,
            "bounds": threat.bounds,
            "attacks": list(chosen),
            "steps": steps,
            "restarts": restarts,
            "queries": queries,
            "seed": seed,
        },
        "curve": [report.robust.to_json() for report in reports],
        "reports": [report.to_json() for report in reports],
        "sanity": [check.to_json() for check in checks],
        "distances": None if found is None else found.to_json(),
        "provenance": provenance(),
    }
    write_atomically(run_dir / "evaluation.json", json.dumps(result, indent=1))
    note = save_picture(run_dir / "evaluation.png", lambda: _picture(reports, found))
    if as_json:
        typer.echo(json.dumps(result))
        return
    show(_table(reports))
    say(box_of(threat, reports))
    for report in reports:
        for alarm in report.alarms:
            say(f"alarm at {digits(report.threat.eps)}: {alarm}")
    if found is not None:
        median = f"{found.median:.4g}" if math.isfinite(found.median) else f"above {radii[-1]:g}"
        say(f"median distance to the nearest mistake found: {median} ({norm})")
    if checks:
        say(f"\nSanity at {norm} {digits(threat.eps)}:")
        for check in checks:
            say(f"  {check}")
    say(note or f"\nThe picture is {run_dir / 'evaluation.png'}.")


def _doubtful(reports: Sequence[RobustnessReport]) -> ThreatModel:
    """The largest set that something still withstands, else the smallest that was searched."""
    searched = [report for report in reports if report.threat.eps > 0] or [*reports]
    left = [report for report in searched if report.robust.correct > 0]
    return (left[-1] if left else searched[0]).threat


def _picture(reports: Sequence[RobustnessReport], found: MinimumNorms | None) -> Any:
    from holonet.plots import new_figure, plot_distances, plot_evaluation

    figure, axes = new_figure(6 if found is None else 11.5, 3.9, columns=1 if found is None else 2)
    plot_evaluation(reports, ax=axes[0])
    if found is not None:
        plot_distances({"nearest mistake found": found}, ax=axes[1])
    return figure


def _table(reports: Sequence[RobustnessReport]) -> Table:
    names = reports[0].attacks
    table = Table(title=literal(f"accuracy % left after each attack, {reports[0].threat.norm}"))
    table.add_column("eps", justify="right")
    for name in names[:-1]:
        table.add_column(name, justify="right")
    for header in (names[-1], "95% interval", "examples"):
        table.add_column(header, justify="right", no_wrap=True)
    for report in reports:
        after = [percent(report.after[name].accuracy) for name in names[:-1]]
        point = report.robust
        accuracy, interval = percent(point.accuracy), percent(None, point.interval)
        table.add_row(digits(point.eps), *after, accuracy, interval, str(point.examples))
    return table
