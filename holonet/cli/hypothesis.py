"""`holonet hypothesis`: the analytic-framework hypothesis, put to the test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from holonet.cli.options import EpsOption, JsonFlag, ProcessesOption, amount, count
from holonet.cli.reproduce import run
from holonet.cli.settings import configured, require_used, takes_settings
from holonet.studies.hypothesis import Hypothesis, chosen_claims
from holonet.studies.hypothesis.settings import ACTIVATIONS
from holonet.training import RunConfig, load_data

__all__ = ["hypothesis"]


@takes_settings(only=("data.name", "data.root"))
def hypothesis(
    ctx: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="The short run, of minutes.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder; reports/hypothesis if not given.")
    ] = None,
    claims: Annotated[
        str | None, typer.Option(help="Of H1a, H1b, H2, H3, H4, with commas; all if not given.")
    ] = None,
    activations: Annotated[
        str | None,
        typer.Option(help=f"Of {', '.join(ACTIVATIONS)}, with commas; all if not given."),
    ] = None,
    controls: Annotated[
        bool, typer.Option(help="Train what decides nothing too: H1a under other rules.")
    ] = True,
    attack: Annotated[str, typer.Option(help="pgd, strong (ours), autoattack.")] = "pgd",
    eps: EpsOption = 0.1,
    lr: Annotated[float | None, amount("Learning rate, the same for all networks.")] = None,
    seeds: Annotated[int | None, count("How many, from 0; at least 2.")] = None,
    epochs: Annotated[int | None, count("Of each training.")] = None,
    processes: ProcessesOption = None,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Test whether analytic, complex and harmonic networks are more robust; write a report.

    Claims were stated before they were measured: H1a analytic against piecewise activations, H1b
    complex against real coefficients, H2 harmonicity, energy and complex singularities over a
    population, H3 transfer and harmonic parts, H4 mixtures of holomorphic experts. Each gets a
    verdict, from intervals and permutation tests that are corrected for their number. Called again
    after a crash, the study resumes.

    [dim]holonet hypothesis[/dim]
    [dim]holonet hypothesis --data mnist --data-root ~/data --claims H1a,H1b --attack
    autoattack --activations square,gelu,relu --no-controls[/dim]
    """
    config = configured(RunConfig(), settings)
    require_used(settings, [config])
    study = Hypothesis(
        load_data(config.data),
        seeds=seeds,
        epochs=epochs,
        claims=chosen_claims(claims),
        activations=ACTIVATIONS if activations is None else activations.split(","),
        controls=controls,
        attack=attack,
        eps=eps,
        lr=lr,
    )
    run(ctx, study, out, quick=quick, processes=processes, as_json=as_json)
