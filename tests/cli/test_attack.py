"""`holonet attack`: chosen attacks, each on its own, and transfer between runs."""

import json
import shutil
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from holonet.attacks.worst_case import ATTACKS, STRONG
from holonet.cli.attack import attacks_named, percent, save_picture
from holonet.cli.main import app
from holonet.diagnostics import RobustnessReport
from holonet.errors import ConfigError, DataError, HolonetError, UnknownNameError
from holonet.interop import autoattack
from holonet.plots import new_figure
from holonet.training import load_run


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def train(folder: Path, *options: str) -> Path:
    small = [
        "--train-size",
        "400",
        "--test-size",
        "30",
        "--epochs",
        "12",
        "--batch-size",
        "50",
        "--json",
    ]
    assert invoke("train", "--run-dir", str(folder), *small, *options).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs") / "one", "--hidden", "8")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("runs") / "two", "--hidden", "6", "--seed", "1")


@pytest.fixture(autouse=True)
def few_examples_in_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holonet.cli.attack.COLUMNS", 1)


def test_each_attack_is_on_its_own_and_keeps_its_points(run: Path) -> None:
    options = ["--attack", "fgsm,pgd", "--steps", "4", "--eps", "0.15", "--json"]
    found = json.loads(invoke("attack", str(run), *options).stdout)
    folder = run / "attacks" / "Linf-0.15"
    assert json.loads((folder / "attack.json").read_text()) == found
    _, data, _ = load_run(run)
    assert list(found["attacks"]) == ["fgsm", "pgd"]
    for name, numbers in found["attacks"].items():
        report = RobustnessReport.load(folder / f"{name}.npz")
        assert report.attacks == (name,)
        assert report.robust.correct == numbers["robust"]["correct"]
        assert report.threat.contains(report.x_adv, data.x_test).all()
        assert set(report.broken_by) <= {"", "clean", name}
    clean = {numbers["clean"]["correct"] for numbers in found["attacks"].values()}
    assert len(clean) == 1
    assert (folder / "examples.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "transfer.png").exists()


def test_colour_images_are_trained_on_attacked_and_drawn(tmp_path: Path) -> None:
    options = "--data photographs --family convnet --channels 4 --dense 8 --threshold channel"
    run = train(tmp_path / "run", *options.split(), "--kernel-size", "3", "--epochs", "1")
    options = "--attack pgd --steps 2 --eps 0.0157 --examples 6 --json"
    found = json.loads(invoke("attack", str(run), *options.split()).stdout)
    assert found["attacks"]["pgd"]["searched_in"] == "the image box of Threshold"
    assert (run / "attacks" / "Linf-0.0157" / "examples.png").exists()


def test_text(run: Path) -> None:
    result = invoke("attack", str(run), "--attack", "fgsm", "--norm", "L2", "--examples", "10")
    assert result.exit_code == 0, result.output
    for text in ("fgsm", "none", "95% interval", "L2-0.1"):
        assert text in result.stdout.replace("\n", "")


def test_transfer_between_runs(run: Path, other: Path) -> None:
    options = ["--attack", "pgd", "--steps", "3", "--eps", "0.2", "--transfer", str(other)]
    found = json.loads(invoke("attack", str(run), *options, "--json").stdout)["transfer"]
    assert found["names"] == [str(run), str(other)]
    assert len(found["fooled"]) == 2
    assert (run / "attacks" / "Linf-0.2" / "transfer.png").exists()
    assert "random signs" in invoke("attack", str(run), *options).stdout


def test_transfer_is_between_runs_on_the_same_data(run: Path, tmp_path: Path) -> None:
    here = load_run(run)[1]
    arrays = {
        name: getattr(here, name).numpy() for name in ("x_train", "y_train", "x_test", "y_test")
    }
    np.savez(
        tmp_path / "longer.npz",
        **arrays | {f"x_{part}": arrays[f"x_{part}"].repeat(2, 3) for part in ("train", "test")},
    )
    np.savez(tmp_path / "more.npz", **arrays | {"y_train": arrays["y_train"] + 1})
    np.savez(tmp_path / "shuffled.npz", **arrays | {"x_train": arrays["x_train"][::-1]})
    options = ["--attack", "fgsm", "--json", "--transfer"]
    for name in ("longer", "more", "shuffled"):
        data = ["--data", str(tmp_path / f"{name}.npz")]
        folder = train(tmp_path / name, "--hidden", "4", *data, "--epochs", "1")
        refused = invoke("attack", str(run), *options, str(folder))
        assert isinstance(refused.exception, DataError)
        assert f"{folder} was not trained on Dataset('digits'" in str(refused.exception)
        meant = invoke("attack", str(run), *options, f" {folder}", "--other-data")
        assert "does not fit" in str(meant.exception) or name == "shuffled"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["--norm", "L0"], ConfigError),
        (["--attack", "pgd,nothing"], UnknownNameError),
        (["--transfer", "/no/run"], HolonetError),
    ],
)
def test_bad_options(run: Path, options: list[str], kind: type[HolonetError]) -> None:
    assert isinstance(invoke("attack", str(run), *options).exception, kind)


def test_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchattacks", ModuleType("torchattacks"))
    assert attacks_named("strong") == dict(STRONG)
    assert attacks_named("autoattack") == {"autoattack": autoattack}
    named = attacks_named("pgd, square ,strong,torchattacks:PGD")
    assert list(named) == [
        "pgd",
        "square",
        *(n for n in STRONG if n != "square"),
        "torchattacks:PGD",
    ]
    assert named["pgd"] is ATTACKS["pgd"]
    with pytest.raises(UnknownNameError, match="did you mean"):
        attacks_named("squares")
    for bad in ("", "torchattacks:", "nobody:PGD"):
        with pytest.raises(UnknownNameError):
            attacks_named(bad)


def test_a_budget_that_no_attack_takes_is_refused() -> None:
    with pytest.raises(ConfigError, match="--queries, --steps changes nothing for fgsm"):
        attacks_named("fgsm", steps=3, queries=9)
    attacks_named("fgsm,pgd", steps=3)


def test_each_attack_gets_the_budget_that_it_takes() -> None:
    named = attacks_named("strong,fgsm", steps=7, restarts=2, queries=11)
    settings = {k: v.keywords if isinstance(v, partial) else {} for k, v in named.items()}
    for name in ("apgd-ce", "apgd-dlr", "apgd-t"):
        assert settings[name]["steps"] == 7
        assert settings[name]["restarts"] == 2
        assert "queries" not in settings[name]
    assert settings["square"]["queries"] == 11
    assert "steps" not in settings["square"]
    assert settings["fgsm"] == {}


def test_numbers_and_pictures(tmp_path: Path) -> None:
    assert percent(0.125) == "12.5"
    assert percent(None) == "-"
    assert percent(None, (0.1, 1.0)) == "10.0 to 100.0"
    path = tmp_path / "deep" / "a.png"
    assert save_picture(path, lambda: new_figure()[0]) is None
    assert path.read_bytes().startswith(b"\x89PNG")

    def nothing() -> None:
        raise DataError("nothing to draw")

    assert save_picture(path, nothing) == "no picture a.png: nothing to draw"


def test_other_data_are_refused_unless_they_are_meant(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    config = (copy / "config.toml").read_text()
    (copy / "config.toml").write_text(config.replace("test = 30", "test = 31"))
    options = ["--attack", "fgsm", "--json"]
    assert isinstance(invoke("attack", str(copy), *options).exception, DataError)
    found = json.loads(invoke("attack", str(copy), *options, "--other-data").stdout)
    assert found["attacks"]["fgsm"]["robust"]["examples"] == 31


def test_complex_data_are_attacked_on_a_polydisc_unless_told(tmp_path: Path) -> None:
    y = np.arange(40) % 2
    x = (1 + y[:, None]) * np.exp(1j * np.arange(80)).reshape(40, 2)
    np.savez(tmp_path / "iq.npz", x=x.astype(np.complex64), y=y)
    run = str(tmp_path / "run")
    trained = invoke(
        "train", "--data", str(tmp_path / "iq.npz"), "--rule", "standard", "--readout", "modulus",
        "--hidden", "3", "--epochs", "1", "--run-dir", run,
    )  # fmt: skip
    assert trained.stdout.endswith(f"Next: holonet evaluate {run} --eps 0.1\n")
    for command in ("attack", "evaluate"):
        attack = ("torus", "--steps", "5") if command == "attack" else ("fgsm", "--no-sanity")
        small = ("--examples", "4", "--attack", *attack)
        result = invoke(command, run, *small)
        assert result.exit_code == 0, result.output
        assert "polydisc" in result.stdout
    assert (tmp_path / "run" / "attacks" / "polydisc-0.1" / "torus.npz").exists()
    real = invoke("attack", run, "--norm", "linf")
    assert "Linf is a norm of real data: --norm polydisc" in str(real.exception)
