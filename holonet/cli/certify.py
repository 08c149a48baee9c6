"""`holonet certify`: what is proved of a finished run, beside what an attack leaves of it."""

import functools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table
from torch import nn

from holonet._files import write_atomically
from holonet._progress import progress_bar
from holonet._provenance import provenance
from holonet._types import GivenPoints
from holonet.certify import (
    EXACT,
    METHODS,
    Confirmation,
    Semantics,
    certify,
    certify_recorded,
    methods_for,
    read,
)
from holonet.certify.records import radii_recorded, without_splits
from holonet.certify.splits import Splits
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
    RestartsOption,
    RunArgument,
    SeedOption,
    StepsOption,
    count,
    digits,
    parse_numbers,
)
from holonet.cli.radii import TOLERANCE, compared_radii, radii_table
from holonet.cli.terminal import literal, say, show
from holonet.diagnostics import (
    RobustnessPoint,
    RobustnessReport,
    evaluate_radii,
    minimum_norm_perturbations,
)
from holonet.errors import ConfigError, InputTypeError, UnknownNameError
from holonet.threats import ThreatModel
from holonet.training import load_run
from holonet.training.run_folder import require_inside

__all__ = ["Meaning", "certify_run"]


class Meaning(StrEnum):
    """What a certificate speaks of."""

    EXECUTED = "executed"
    EXACT = "exact"


def certify_run(
    run_dir: RunArgument = LATEST,
    eps: Annotated[str, typer.Option(help="Radii, such as 0.05,0.1.")] = "0.1",
    norm: NormOption = None,
    names: Annotated[
        str,
        typer.Option(
            "--methods",
            help=f"Names with commas, tried in turn: {', '.join(METHODS)}; auto for those that are "
            "for the network.",
        ),
    ] = "auto",
    nodes: Annotated[int, count("Pieces of a box that both splits look at, a margin.")] = 100,
    semantics: Annotated[
        Meaning,
        typer.Option(help="Of the network as its precision executes it, or in exact arithmetic."),
    ] = Meaning.EXECUTED,
    attack_names: Annotated[
        str, typer.Option("--attack", help="Attacks to compare with, as in holonet evaluate.")
    ] = "pgd",
    steps: StepsOption = None,
    restarts: RestartsOption = None,
    examples: ExamplesOption = 1000,
    seed: SeedOption = 0,
    radius: Annotated[
        bool,
        typer.Option(
            "--radius",
            help="Also the largest certified radius of each example, up to the largest of --eps, "
            "beside the distance of the nearest mistake.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="Of the attack; proofs are made on the CPU.")] = "cpu",
    with_check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Confirm every certificate by the independent check, in ball arithmetic.",
        ),
    ] = False,
    other_data: OtherDataFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Prove the class of test examples on whole balls, with Wilson intervals at 95%.

    Certified accuracy is a lower bound of robust accuracy, accuracy under an attack an upper one.
    To be certified and broken is an alarm. Splits are for those examples that the attack leaves,
    the cheaper methods for all. Certified radii are found by bisection and without splits.

    Each example has a line in certificates/<norm>-<eps>.jsonl in the run folder, the numbers are in
    certification.json, and a picture is beside it; an interrupted call resumes there. With more
    --nodes those examples alone are tried again that are open.

    With --check certificates and network are files in certificates/files, and those that the check
    does not confirm are an alarm too. It is for real networks of squares on l_inf balls, needs
    python-flint, and speaks of exact arithmetic.

    [dim]holonet certify runs/mnist --eps 0.1,0.2[/dim]
    [dim]holonet certify runs/mnist --norm L2 --eps 0.5,1[/dim]
    [dim]holonet certify runs/reflections --norm complex_ball --eps 0.02[/dim]
    [dim]holonet certify runs/mnist --eps 0.3 --radius[/dim]
    [dim]holonet certify runs/mnist --methods intervals --semantics exact[/dim]
    """
    threats = threats_of(norm, parse_numbers(eps, "--eps"))
    wanted = [name.strip().replace("-", "_") for name in names.split(",")]
    for name in wanted:
        if name not in METHODS and name != "auto":
            raise UnknownNameError("method", name, ["auto", *METHODS])
    chosen = attacks_named(attack_names, steps=steps, restarts=restarts)
    _, dataset, network = load_run(run_dir, other_data=other_data)
    require_inside(run_dir)
    threat = threat_of(threats[0], dataset, default=norm is None)
    x, y = dataset.x_test[:examples], dataset.y_test[:examples]
    if wanted == ["auto"]:
        wanted = methods_for(network, x[:1], y[:1], threat)
    ladder = [METHODS[name] for name in wanted]
    ladder = [replace(m, nodes=nodes) if isinstance(m, Splits) else m for m in ladder]
    certify(network, x[:1], y[:1], threat.scaled(0.0), ladder)  # refused before the attack
    confirmation = _confirmation(network, x, threat, run_dir) if with_check else None
    dtypes = read(network).dtypes
    executed = Semantics(torch.float64 if dtypes == {torch.float64} else torch.float32)
    meaning = EXACT if semantics is Meaning.EXACT else executed
    radii = sorted({one.eps for one in threats})
    rows: list[dict[str, Any]] = []
    compared: dict[str, Any] | None = None
    with progress_bar(not as_json) as bar:
        batches = -(-len(y) // BATCH)
        task = bar.add_task("attacking", total=len({0.0, *radii}) * batches)
        reports = evaluate_radii(
            network.to(device),
            x.to(device),
            y.to(device),
            sorted({0.0, *radii}),
            threat,
            attacks=chosen,
            seed=seed,
            batch_size=BATCH,
            folder=run_dir / "evaluation",
            on_batch=lambda: bar.advance(task),
        )
        largest = replace(threat, eps=radii[-1])
        attacked = None
        if radius and radii[-1] > 0:
            measuring = functools.partial(bar.advance, bar.add_task("distances", total=batches))
            options = {"batch_size": BATCH, "on_batch": measuring}
            points = x.to(device), y.to(device)
            attacked = minimum_norm_perturbations(network, *points, largest, **options)
        network.to("cpu")
        for report in reports[-len(radii) :]:
            size = digits(report.threat.eps)
            proving = bar.add_task(f"certifying at {size}", total=len(y))
            records = certify_recorded(
                network,
                x,
                y,
                report.threat,
                ladder,
                meaning,
                run_dir / "certificates" / f"{threat.norm}-{size}.jsonl",
                ~report.robust_mask.cpu(),
                functools.partial(bar.advance, proving),
            )
            row = _row(reports[0], report, records)
            if confirmation is not None:
                proved = [record for record in records if record["certified"]]
                checking = bar.add_task(f"checking at {size}", total=len(proved))
                row["check"] = _checked(
                    confirmation.confirm(
                        x,
                        y,
                        report.threat,
                        ladder,
                        meaning,
                        proved,
                        f"{threat.norm}-{size}",
                        functools.partial(bar.advance, checking),
                    )
                )
            rows.append(row)
        if attacked is not None:
            searching = functools.partial(bar.advance, bar.add_task("radii", total=len(y)))
            path = run_dir / "certificates" / f"{threat.norm}-radius.jsonl"
            cheap = without_splits(ladder)
            found = radii_recorded(
                network, x, y, largest, cheap, meaning, path, TOLERANCE, searching
            )
            compared = compared_radii(found, attacked)
    result = {
        "run": str(run_dir),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint()},
        "norm": threat.norm,
        "bounds": threat.bounds,
        "methods": wanted,
        "nodes": nodes,
        "semantics": str(meaning),
        "attack": {"attacks": list(chosen), "steps": steps, "restarts": restarts, "seed": seed},
        "curve": rows,
        "radius": compared,
        "provenance": provenance(),
    }
    write_atomically(run_dir / "certification.json", json.dumps(result, indent=1))
    note = save_picture(run_dir / "certification.png", lambda: _picture(rows, threat.norm))
    if as_json:
        typer.echo(json.dumps(result))
        return
    show(_table(rows, f"{threat.norm}, {meaning} semantics, {', '.join(wanted)}"))
    say(box_of(threat, reports))
    for row in rows:
        if row["notes"]["examples"]:
            of = f"{row['notes']['examples']} of {row['clean']['examples']} examples"
            say(f"At {digits(row['eps'])} {of} have no bound. {row['notes']['first']}.")
        if row["contradictions"]:
            say(f"alarm at {digits(row['eps'])}: broken and certified: {row['contradictions']}")
        for line in _check_lines(row):
            say(line)
    if compared is not None:
        show(radii_table(compared, threat.norm, len(y)))
        if compared["contradictions"]:
            say(f"alarm: mistakes within certified radii: {compared['contradictions']}")
    say(f"The certificates are in {run_dir / 'certificates'}.")
    say(note or f"The picture is {run_dir / 'certification.png'}.")


def _confirmation(
    network: nn.Module, x: GivenPoints, threat: ThreatModel, run_dir: Path
) -> Confirmation:
    """The check, refused before any work where it is not for the network or the threat."""
    if threat.norm != "Linf":
        raise ConfigError(f"--check is for --norm Linf: certify {threat.norm} without it")
    try:
        return Confirmation(network, x[:1], run_dir / "certificates" / "files")
    except InputTypeError as error:
        raise InputTypeError(
            f"{error}. --check is not for this network: certify without it"
        ) from None


def _checked(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many certificates of each method are confirmed, and which are not."""
    done = Counter(record["key"]["method"] for record in records)
    held = Counter(record["key"]["method"] for record in records if record["confirmed"])
    return {
        "by_method": {name: {"confirmed": held[name], "of": done[name]} for name in done},
        "not_confirmed": [
            {"index": record["key"]["index"], "words": record["words"]}
            for record in records
            if not record["confirmed"]
        ],
        "seconds_each": sum(record["seconds"] for record in records) / max(1, len(records)),
    }


def _check_lines(row: Mapping[str, Any]) -> Iterator[str]:
    if (check := row.get("check")) is None:
        return
    counts = [f"{name} {n['confirmed']} of {n['of']}" for name, n in check["by_method"].items()]
    yield f"confirmed at {digits(row['eps'])}: {', '.join(counts) or 'nothing was certified'}"
    for one in check["not_confirmed"]:
        yield f"alarm at {digits(row['eps'])}: {one['index']} is not confirmed: {one['words']}"


def _picture(rows: Sequence[Mapping[str, Any]], norm: str) -> Any:
    from holonet.plots import plot_certification

    return plot_certification(rows, norm)


def _row(
    clean: RobustnessReport, report: RobustnessReport, records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What is certified, attacked and clean at one radius."""
    proved = [record for record in records if record["certified"]]
    open_notes = (r["notes"] for r in records if not r["certified"])
    notes = [of_example[0] for of_example in open_notes if of_example]
    return {
        "eps": report.threat.eps,
        "certified": RobustnessPoint(report.threat.eps, len(proved), len(records)).to_json(),
        "attacked": report.robust.to_json(),
        "clean": clean.robust.to_json(),
        "by_method": dict(Counter(record["method"] for record in proved)),
        "notes": {"examples": len(notes), "first": notes[0] if notes else None},
        "contradictions": [r["key"]["index"] for r in proved if r["key"]["broken"]],
        "seconds_each": sum(record["seconds"] for record in records) / len(records),
    }


def _table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    table = Table(title=literal(title))
    for header in ("eps", "certified %", "attacked %", "clean %", "examples"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        cells = [
            f"{percent(row[name]['accuracy'])} ({percent(None, row[name]['interval'])})"
            for name in ("certified", "attacked")
        ]
        clean = percent(row["clean"]["accuracy"])
        table.add_row(digits(row["eps"]), *cells, clean, str(row["clean"]["examples"]))
    return table
