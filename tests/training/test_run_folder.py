"""Run folders: nothing is lost unasked, and what is read back is what was trained."""

import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from holonet._files import folder_lock
from holonet.errors import CheckpointError, ConfigError, DataError, RunExistsError
from holonet.training import (
    DataConfig,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
    accuracy,
    build_model,
    fit,
    load,
    load_data,
    load_run,
    open_run,
)
from holonet.training.checkpoint import load_tensors, save_tensors
from holonet.training.identity import identity_of
from holonet.training.run_folder import forget_run

CONFIG = RunConfig(
    data=DataConfig(train=100, test=50),
    model=ModelConfig(hidden=(6,)),
    train=TrainConfig(epochs=1, batch_size=50, seed=3),
)
OTHER = CONFIG.model_copy(update={"train": TrainConfig(epochs=1, batch_size=50, lr=0.5)})
SHORT = TrainConfig(epochs=1, batch_size=50)


def prepare(folder: Path, config: RunConfig, **options: bool) -> None:
    with open_run(folder, config, **options):
        pass


def run(folder: Path, config: RunConfig = CONFIG) -> tuple[nn.Module, list[dict[str, Any]]]:
    prepare(folder, config)
    data = load_data(config.data)
    model = build_model(config, data)
    return model, fit(model, data, config.rule.build(), run_dir=folder, run=config)


def content(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_a_finished_run_is_read_back(tmp_path: Path) -> None:
    model, records = run(tmp_path / "deep" / "run")
    config, data, loaded = load_run(tmp_path / "deep" / "run")
    assert config == CONFIG
    assert (len(data.x_train), len(data.x_test)) == (100, 50)
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    assert accuracy(loaded, data.x_test, data.y_test) == records[-1]["test_accuracy"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "trained"
    run(folder)
    return folder


@pytest.fixture
def mine(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be changed."""
    return shutil.copytree(trained, tmp_path / "mine")


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('readout = "real"', 'readout = "imag"', "model.readout"),
        ('activation = "square"', 'activation = "tanh"', "model.activation"),
        ("gain = 0.7", "gain = 0.8", "model.gain"),
        ("weight = 0.3", "weight = 0.2", "rule.weight"),
        ("eps = 0.1", "eps = 0.2", "rule.eps"),
        ("lr = 0.01", "lr = 0.02", "train.lr"),
        ("seed = 3", "seed = 4", "train.seed"),
    ],
)
@pytest.mark.parametrize("read", [load_run, load])
def test_an_edited_configuration_is_refused(
    mine: Path, read: Any, before: str, after: str, key: str
) -> None:
    config = (mine / "config.toml").read_text()
    assert config.count(before) == 1
    (mine / "config.toml").write_text(config.replace(before, after))
    with pytest.raises(CheckpointError, match=rf"of another run than .*{key}: .* and "):
        read(mine)


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [("seed = 0", "seed = 1", "data.seed"), ("test = 50", "test = 51", "data.test")],
)
def test_another_part_of_the_data_is_refused_unless_it_is_meant(
    mine: Path, before: str, after: str, key: str
) -> None:
    config = (mine / "config.toml").read_text()
    (mine / "config.toml").write_text(config.replace(before, after, 1))
    with pytest.raises(DataError, match=rf"{key}: .* and .*other_data=True.*--other-data"):
        load_run(mine)
    _, data, model = load_run(str(mine), other_data=True)
    assert data.fingerprint() != load_data(CONFIG.data).fingerprint()
    expected = load(mine)
    assert torch.equal(model(data.x_test), expected(data.x_test))


def test_weights_of_another_run_of_the_same_shapes_are_refused(mine: Path, tmp_path: Path) -> None:
    run(tmp_path / "other", OTHER)
    for name in ("model.safetensors", "model.safetensors.sha256"):
        shutil.copy(tmp_path / "other" / name, mine / name)
    with pytest.raises(CheckpointError, match=r"train\.lr: 0\.5 and 0\.01"):
        load_run(mine)


def test_weights_that_are_not_finite_are_refused(mine: Path) -> None:
    tensors, about = load_tensors(mine / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    save_tensors(mine / "model.safetensors", tensors, about)  # with a right digest
    with pytest.raises(CheckpointError, match="infinite or NaN entries in"):
        load_run(mine)


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_data_that_changed_since_are_refused(tmp_path: Path, key: str) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.random((20, 4), dtype=np.float32),
        "y_train": np.arange(20) % 2,
        "x_test": rng.random((6, 4), dtype=np.float32),
        "y_test": np.arange(6) % 2,
    }
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    model = ModelConfig(hidden=(3,))
    run(tmp_path / "run", RunConfig(data=DataConfig(name=str(path)), model=model, train=SHORT))
    load_run(tmp_path / "run")
    arrays[key] = arrays[key][::-1]
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=r"the files were changed"):
        load_run(tmp_path / "run")
    load_run(tmp_path / "run", other_data=True)
    np.savez(path, x=np.ones((9, 5), np.float32), y=np.arange(9) % 2)
    with pytest.raises(DataError, match=r"takes features \(4,\) and knows 2 classes"):
        load_run(tmp_path / "run", other_data=True)
    path.unlink()
    with pytest.raises(DataError, match=r"holonet\.load needs no data"):
        load_run(tmp_path / "run")
    assert load(tmp_path / "run")(torch.rand(1, 4)).shape == (1, 2)


def test_a_path_is_of_no_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((9, 5), np.float32), y=np.arange(9) % 3)
    monkeypatch.chdir(tmp_path)
    config = RunConfig(data=DataConfig(name="d.npz"), model=ModelConfig(hidden=(3,)), train=SHORT)
    run(tmp_path / "run", config)
    monkeypatch.chdir("/")
    assert load_run(tmp_path / "run")[0].data.name == str(tmp_path / "d.npz")


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(hidden=(6,), gain="data", normalizer="frozen"),
        ModelConfig(family="convnet", channels=(2,), dense=(4,), normalizer="frozen"),
        ModelConfig(coefficients="real", match="parameters", hidden=(6,), gain="data"),
        ModelConfig(coefficients="real", activation="relu", match="parameters", hidden=(6,)),
    ],
)
def test_a_model_is_loaded_without_data(tmp_path: Path, model: ModelConfig) -> None:
    trained, _ = run(tmp_path / "run", RunConfig(data=CONFIG.data, model=model, train=SHORT))
    x = torch.rand(5, 1, 8, 8)
    weights = [
        tmp_path / name for name in ("run/model.safetensors", "run/model.safetensors.sha256")
    ]
    for path in weights:
        shutil.copy(path, tmp_path)
    for place in (tmp_path / "run", str(tmp_path / "run"), tmp_path / "model.safetensors"):
        loaded = load(place)
        assert not loaded.training
        assert torch.equal(loaded(x), trained.eval()(x))


def test_weights_alone_do_not_say_what_they_are_of(tmp_path: Path) -> None:
    data = load_data(CONFIG.data)
    fit(build_model(CONFIG, data), data, CONFIG.rule.build(), CONFIG.train, run_dir=tmp_path)
    with pytest.raises(CheckpointError, match=r"does not say which configuration"):
        load(tmp_path / "model.safetensors")


def test_complex_data_are_refused_by_relu_networks_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", x=np.ones((9, 5), np.complex64), y=np.arange(9) % 3)
    data = load_data(DataConfig(name=str(tmp_path / "c.npz")))
    rule = RuleConfig(name="standard")
    relu = ModelConfig(coefficients="real", activation="relu")
    with pytest.raises(ConfigError, match=r"activation = 'relu' .* is complex: .*--lift pair"):
        build_model(RunConfig(model=relu, rule=rule), data)
    model = build_model(RunConfig(model=ModelConfig(coefficients="real"), rule=rule), data)
    assert model(data.x_test).dtype == torch.float32
    with pytest.raises(ConfigError, match=r"threshold = 'shared' .* is complex: .*'none'"):
        build_model(RunConfig(model=ModelConfig(threshold="shared"), rule=rule), data)


def test_a_folder_is_of_one_process(mine: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from holonet._files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1]), ValueError): print('held', flush=True); input()"
    )
    before = content(mine)
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(mine)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        for options in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(RunExistsError, match=f"in use by process {other.pid}:"):
                prepare(mine, CONFIG, **options)
        data = load_data(CONFIG.data)
        with pytest.raises(RunExistsError, match=f"in use by process {other.pid}:"):
            fit(build_model(CONFIG, data), data, CONFIG.rule.build(), run=CONFIG, run_dir=mine)
        assert content(mine) == before
        other.communicate("\n")
    prepare(mine, CONFIG, resume=True)


def test_resuming_and_overwriting_at_once_is_refused(mine: Path) -> None:
    before = content(mine)
    with pytest.raises(ConfigError, match="choose one"):
        prepare(mine, CONFIG, resume=True, overwrite=True)
    assert content(mine) == before


def test_weights_are_drawn_from_the_training_seed() -> None:
    data = load_data(CONFIG.data)
    expected = CONFIG.model.build(64, 10, seed=3)
    for a, b in zip(build_model(CONFIG, data).parameters(), expected.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("config", [CONFIG, OTHER])
def test_an_existing_run_is_refused_and_nothing_lost(tmp_path: Path, config: RunConfig) -> None:
    run(tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunExistsError, match=r"--resume.*--overwrite.*--run-dir"):
        prepare(tmp_path, config)
    assert content(tmp_path) == before


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    before = content(tmp_path)
    prepare(tmp_path, CONFIG, resume=True)
    assert content(tmp_path) == before
    with pytest.raises(ConfigError) as caught:
        prepare(tmp_path, OTHER, resume=True)
    assert "train.lr: 0.01 and 0.5; train.seed: 3 and 0" in str(caught.value)
    assert content(tmp_path) == before


def test_resuming_without_a_run_starts_one(tmp_path: Path) -> None:
    prepare(tmp_path / "new", CONFIG, resume=True)
    assert RunConfig.read(tmp_path / "new" / "config.toml") == CONFIG


RESULTS = [
    "evaluation.json",
    "evaluation.png",
    "evaluation.json.sha256",
    "evaluation/Linf-0.1.npz",
    "evaluation/L2-1e-05.npz",
    "evaluation/0123456789abcdef/identity.json",
    "evaluation/0123456789abcdef/batch-00003.npz",
    "evaluation/0123456789abcdef/batch-00003.npz.sha256",
    "evaluation/0123456789abcdef/.batch-00004.npz.0123456789abcdef.tmp",
    "attacks/Linf-0.1/attack.json",
    "attacks/Linf-0.1/attack.json.sha256",
    "attacks/Linf-0.1/examples.png",
    "attacks/Linf-0.1/transfer.png",
    "attacks/Linf-0.1/apgd-ce.npz",
    "attacks/Linf-0.1/torchattacks-PGD.npz",
    "attacks/Linf-0.1/batches/0123456789abcdef/batch-00000.npz",
    "certification.json",
    "certificates/Linf-0.1.jsonl",
    "certificates/files/network.npz",
    "certificates/files/Linf-0.1-17.npz",
    "certificates/files/Linf-0.1.jsonl",
    "certificates/L2-radius.jsonl",
]
FOREIGN = [
    "notes.txt",
    "model.svg",
    "model.summary.txt",
    "checkpoints/mine.txt",
    "a/step-1.txt",
    "Linf-0.1.npz",
    "batch-00000.npz",
    "attacks/mine.py",
    "attacks/Linf-0.1/notes.txt",
    "attacks/Linf-0.1/mine.npz",
    "attacks/mine-0.1/attack.json",
    "evaluation/notes.txt",
    "evaluation/mine.npz",
    "evaluation/mine/batch-00000.npz",
    "certificates/mine.jsonl",
    "certificates/files/mine.npz",
]


def put(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(name)


@pytest.mark.parametrize("foreign", [FOREIGN, []])
def test_overwriting_removes_the_run_and_keeps_what_is_not_of_it(
    mine: Path, foreign: list[str]
) -> None:
    put(mine, foreign + RESULTS)
    prepare(mine, OTHER, overwrite=True)
    left = {str(p.relative_to(mine)) for p in content(mine)}
    assert left == {"config.toml", *foreign}
    assert RunConfig.read(mine / "config.toml") == OTHER
    assert (mine / "evaluation").exists() == bool(foreign)


def test_where_there_is_no_run_nothing_is_removed(tmp_path: Path) -> None:
    put(tmp_path, FOREIGN + RESULTS)
    before = content(tmp_path)
    prepare(tmp_path, CONFIG, overwrite=True)
    assert {p: c for p, c in content(tmp_path).items() if p.name != "config.toml"} == before
    data = load_data(CONFIG.data)
    model = build_model(CONFIG, data)
    (tmp_path / "config.toml").unlink()
    fit(model, data, CONFIG.rule.build(), CONFIG.train, run_dir=tmp_path)
    assert {p: c for p, c in content(tmp_path).items() if p in before} == before


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "model.safetensors", "checkpoints/step-00000001.safetensors"]
)
def test_files_that_a_run_would_replace_are_not_taken_for_one(tmp_path: Path, name: str) -> None:
    put(tmp_path, [name])
    with pytest.raises(
        RunExistsError, match=f"no run to replace, but {name.split('/', maxsplit=1)[0]}"
    ):
        prepare(tmp_path, CONFIG, overwrite=True)
    assert (tmp_path / name).read_text() == name


@pytest.mark.parametrize("text", ["[tool]\nline = 3\n", "no toml", ""])
def test_a_configuration_of_something_else_is_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    if text == "":  # all defaults: a run's
        prepare(tmp_path, CONFIG, overwrite=True)
        return
    with pytest.raises(RunExistsError, match=r"holds a config\.toml that is not a run's"):
        prepare(tmp_path, CONFIG, overwrite=True)
    assert (tmp_path / "config.toml").read_text() == text


def test_what_a_process_left_that_was_killed_at_once_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".config.toml.0123456789abcdef.tmp").touch()
    with folder_lock(tmp_path, RunExistsError):
        pass
    prepare(tmp_path, CONFIG)
    assert [p.name for p in content(tmp_path)] == ["config.toml"]


def test_results_go_before_the_configuration_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holonet.training.run_folder.write_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, OTHER, overwrite=True)
    assert RunConfig.read(tmp_path / "config.toml") == CONFIG
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(RunExistsError, match="not empty and holds no run"):
            prepare(tmp_path, CONFIG, resume=resume)
    prepare(tmp_path, CONFIG, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(RunExistsError, match="is a file"):
        prepare(tmp_path / "thesis.tex", CONFIG)


def test_an_empty_folder_is_welcome(tmp_path: Path) -> None:
    prepare(tmp_path, CONFIG)
    assert (tmp_path / "config.toml").exists()


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path, CONFIG)
    with pytest.raises(CheckpointError, match=r"not finished.*--resume --run-dir"):
        load_run(tmp_path)


def test_no_run_and_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no run"):
        load_run(tmp_path)
    with pytest.raises(DataError, match="subset"):
        load_data(DataConfig(train=10**6))


def test_weights_of_another_configuration_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    wider = CONFIG.model_copy(update={"model": ModelConfig(hidden=(7,))})
    (tmp_path / "config.toml").write_text(wider.to_toml())
    with pytest.raises(CheckpointError, match=r"another run.*model\.hidden: \(6,\) and \(7,\)"):
        load_run(tmp_path)


def test_forgetting_keeps_the_configuration(tmp_path: Path) -> None:
    run(tmp_path)
    forget_run(tmp_path)
    assert [p.name for p in content(tmp_path)] == ["config.toml"]
    forget_run(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["checkpoints", "evaluation", "attacks", "attacks/Linf-0.1"])
def test_nothing_is_removed_or_written_through_a_link_out_of_the_run(
    name: str, tmp_path: Path
) -> None:
    run(tmp_path / "other")
    theirs = tmp_path / "other" / name
    theirs.mkdir(parents=True, exist_ok=True)
    (theirs / "attack.json").write_text("theirs")
    run(tmp_path / "mine")
    link = tmp_path / "mine" / name
    link.parent.mkdir(exist_ok=True)
    shutil.rmtree(link, ignore_errors=True)
    link.symlink_to(theirs)
    before = content(tmp_path)
    data = load_data(CONFIG.data)
    for act in (
        lambda: prepare(tmp_path / "mine", OTHER, overwrite=True),
        lambda: prepare(tmp_path / "mine", CONFIG, resume=True),
        lambda: fit(
            build_model(CONFIG, data), data, CONFIG.rule.build(), SHORT, run_dir=tmp_path / "mine"
        ),
    ):
        with pytest.raises(RunExistsError, match="links that lead out of it"):
            act()
    assert content(tmp_path) == before


def test_resuming_says_that_it_put_back_other_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = run(tmp_path / "a")
    run(tmp_path / "b", OTHER)
    data = load_data(CONFIG.data)

    def resumed() -> list[str]:
        caplog.clear()
        model = build_model(CONFIG, data)
        fit(model, data, CONFIG.rule.build(), run_dir=tmp_path / "a", run=CONFIG, resume=True)
        return [r.message for r in caplog.records if "was not what this run ends with" in r.message]

    assert not resumed()
    for suffix in ("", ".sha256"):
        shutil.copy(tmp_path / "b" / f"model.safetensors{suffix}", tmp_path / "a")
    assert len(resumed()) == 1
    assert not resumed()
    _, _, model = load_run(tmp_path / "a")
    for key, value in first.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])


def test_weights_without_a_configuration_say_how_they_are_read(tmp_path: Path) -> None:
    data = load_data(CONFIG.data)
    fit(build_model(CONFIG, data), data, CONFIG.rule.build(), SHORT, run_dir=tmp_path)
    with pytest.raises(ConfigError, match="use load_weights"):
        load_run(tmp_path)


def test_the_root_loads_a_run_in_one_line(trained: Path) -> None:
    import holonet

    assert holonet.load is load
    x = torch.rand(3, *load_run(trained)[1].feature_shape)
    assert torch.equal(holonet.load(trained)(x), load_run(trained)[2](x))


def test_a_finished_run_keeps_the_versions_that_it_was_begun_with(
    mine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under other versions a resume trains nothing and leaves the weights' file as it is."""
    from holonet.training.run_folder import finished_run

    about = finished_run(mine)[2]
    assert about["versions"]["torch"] == torch.__version__
    before = (mine / "model.safetensors").read_bytes()
    monkeypatch.setattr("holonet.training.state.versions", lambda: {"torch": "0"})
    config, data, model = load_run(mine)
    for _ in range(2):  # from the last checkpoint, and from the weights alone
        fit(model, data, config.rule.build(), run=config, run_dir=mine, resume=True)
        assert (mine / "model.safetensors").read_bytes() == before
        shutil.rmtree(mine / "checkpoints", ignore_errors=True)
    assert not caplog.records


def test_the_weights_of_the_best_epoch_are_loaded_unless_the_last_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = TrainConfig(epochs=4, batch_size=50, lr=0.5, validation=0.2)
    config = CONFIG.model_copy(update={"train": train})
    model, records = run(tmp_path, config)
    losses = [r["validation_loss"] for r in records if r["kind"] == "epoch"]
    best = losses.index(min(losses))
    assert best < 3
    with caplog.at_level("INFO"):
        found = load(tmp_path)
    assert f"the weights of epoch {best + 1}, with the least loss" in caplog.text
    x = load_data(config.data).x_test
    assert torch.equal(found(x), model(x))
    assert torch.equal(load_run(tmp_path)[2](x), model(x))
    last = load(tmp_path, weights="last")
    assert not torch.equal(last(x), model(x))
    assert torch.equal(load(tmp_path / "last.safetensors")(x), last(x))
    with pytest.raises(ConfigError, match="the file has the weights that it has"):
        load(tmp_path / "model.safetensors", weights="last")
    tensors, about = load_tensors(tmp_path / "last.safetensors")
    save_tensors(tmp_path / "last.safetensors", tensors, {**about, "identity": {}})
    with pytest.raises(CheckpointError, match="is of another run"):
        load(tmp_path, weights="last")
    forget_run(tmp_path)
    assert not list(tmp_path.glob("*.safetensors*"))


def test_without_held_out_examples_the_last_weights_are_all_there_are(tmp_path: Path) -> None:
    run(tmp_path)
    assert not (tmp_path / "last.safetensors").exists()
    x = load_data(CONFIG.data).x_test
    assert torch.equal(load(tmp_path, weights="last")(x), load(tmp_path)(x))


@pytest.mark.parametrize("ended", [False, True])
def test_a_run_of_a_version_without_a_setting_is_resumed(
    ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting had its default's effect; another value is another run."""

    class Stop(BaseException):
        pass

    def stop(step: int) -> None:
        if not ended:
            raise Stop

    def older(*about: Any) -> dict[str, Any]:
        identity = identity_of(*about)
        del identity["train"]["precision"], identity["run"]["train"]["precision"]
        return identity

    data, rule = load_data(CONFIG.data), CONFIG.rule.build()
    train = CONFIG.train.model_copy(update={"checkpoint_every": 1})
    run = CONFIG.model_copy(update={"train": train})
    own: dict[str, Any] = {"run_dir": tmp_path}
    with monkeypatch.context() as patch:
        patch.setattr("holonet.training.state.identity_of", older)
        with nullcontext() if ended else pytest.raises(Stop):
            fit(build_model(run, data), data, rule, run=run, on_step=stop, **own)
    other = run.model_copy(update={"train": train.model_copy(update={"precision": "bf16"})})
    with pytest.raises(CheckpointError, match=r"train.precision: full and bf16"):
        fit(build_model(other, data), data, rule, run=other, resume=True, **own)
    records = fit(build_model(run, data), data, rule, run=run, resume=True, **own)
    assert records[-1]["step"] == 2
