"""Configurations: what is kept, what is refused and how that is said."""

import math
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel
from holonet.errors import ConfigError, ShapeError, UnknownNameError
from holonet.nn import (
    Activation,
    FrozenNorm,
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
    macs,
    real_parameter_count,
)
from holonet.training import (
    AnalyticRule,
    CosineRamp,
    DataConfig,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    LinearRamp,
    ModelConfig,
    RobustOptimization,
    Rule,
    RuleConfig,
    RunConfig,
    Trades,
    TrainConfig,
    analytic_penalties,
    fgsm_rs,
    pgd7,
    shaham,
)

RULE_NAMES = [
    "standard",
    "analytic",
    "fgsm",
    "fgsm-rs",
    "pgd",
    "trades",
    "linearized",
    "analytic+fgsm-rs",
]
positive = st.integers(1, 10**6)
seeds = st.integers(0, 2**63 - 1)
rates = st.floats(0, 1e6, exclude_min=True, allow_nan=False)
CONFIGS = st.builds(
    RunConfig,
    data=st.builds(
        DataConfig,
        name=st.text(),
        root=st.none() | st.just(Path("some/where")),
        train=st.none() | positive,
        test=st.none() | positive,
        seed=seeds,
    ),
    model=st.builds(
        ModelConfig,
        kind=st.sampled_from(["holomorphic", "real", "real-parameter-matched", "real-mac-matched"]),
        family=st.sampled_from(["mlp", "convnet"]),
        hidden=st.lists(positive, max_size=4).map(tuple),
        channels=st.lists(positive, max_size=4).map(tuple),
        kernel_size=positive,
        stride=positive,
        pooling=positive,
        dense=st.lists(positive, max_size=4).map(tuple),
        residual=st.integers(0, 9),
        alpha=rates,
        norm=st.sampled_from(["none", "frozen"]),
        activation=st.text(),
        readout=st.sampled_from(["real", "imag", "modulus", "log-modulus"]),
        gain=rates | st.just("data"),
    ),
    rule=st.builds(
        RuleConfig,
        name=st.sampled_from(RULE_NAMES),
        weight=rates | st.just(0.0),
        on=st.sampled_from(["logits", "probabilities", "loss"]),
        probes=positive | st.just("exact"),
        mode=st.sampled_from(["forward", "reverse"]),
        norm=st.sampled_from(["L1", "L2"]),
        directions=st.sampled_from(["real", "complex"]),
        cauchy_riemann=rates | st.just(0.0),
        harmonic=rates | st.just(0.0),
        threat=st.sampled_from(["Linf", "L2", "L1", "polydisc", "complex_ball"]),
        eps=st.floats(0, 1),
        bounds=st.sampled_from([(0.0, 1.0), (-1.0, 2.0), "none"]),
        steps=positive,
        beta=rates | st.just(0.0),
        schedule=st.sampled_from(["constant", "linear", "cosine"]),
        warm_up=st.floats(0, 1, exclude_min=True),
    ),
    train=st.builds(
        TrainConfig,
        epochs=positive,
        batch_size=positive,
        lr=rates,
        clip=rates | st.just(math.inf) | st.none(),
        optimizer=st.just("sgd"),
        momentum=st.floats(0, 1, exclude_max=True),
        weight_decay=rates | st.just(0.0),
        schedule=st.sampled_from(["one-cycle", "constant"]),
        seed=seeds,
        checkpoint_every=positive,
        keep_checkpoints=positive,
        log_every=positive,
        accelerator=st.sampled_from(["auto", "cpu", "cuda"]),
        devices=positive,
        backend=st.sampled_from(["auto", "gloo", "nccl"]),
    ),
)


@given(config=CONFIGS)
def test_toml_round_trip(config):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(config.to_toml().encode())
        found = RunConfig.read(path)
    assert found == config
    assert found.differences(config) == []
    assert RunConfig.from_mapping(config.model_dump(exclude_none=True)) == config


def test_sections_and_keys_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[train]\nepochs = 3\n")
    assert RunConfig.read(path) == RunConfig(train=TrainConfig(epochs=3))
    path.write_text("")
    assert RunConfig.read(path) == RunConfig()
    path.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 3\r\n")  # as editors of Windows do
    assert RunConfig.read(path) == RunConfig(train=TrainConfig(epochs=3))


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[train]\nepoch = 3", ["unknown key train.epoch, did you mean epochs?", "checkpoint_ev"]),
        ("[modle]", ["unknown key modle, did you mean model?", "Known: data, model, rule, train"]),
        ("[train]\nxyzzy = 3", ["unknown key train.xyzzy. Known: accelerator"]),
        ("[train]\nepochs = 0", ["train.epochs = 0: input should be greater than or equal to 1"]),
        ("[train]\nepochs = 'six'", ["train.epochs = 'six': input should be a valid integer"]),
        ("[train]\nepochs = true", ["train.epochs = True: no setting is true or false"]),
        ("[train]\nlr = nan", ["train.lr = nan: "]),
        ("[train]\nlr = inf", ["train.lr = inf: "]),
        ("[train]\nlr = 0.0", ["train.lr = 0.0: input should be greater than 0"]),
        ("[train]\nclip = -1.0", ["train.clip = -1.0: "]),
        ("[train]\nclip = nan", ["train.clip = nan: "]),
        ("[train]\nseed = -1", ["train.seed = -1: "]),
        (
            "[train]\naccelerator = 'tpu'",
            ["train.accelerator = 'tpu': ", "'auto', 'cpu' or 'cuda'"],
        ),
        ("[model]\nhidden = [3, 0]", ["model.hidden.1 = 0: input should be greater"]),
        ("[model]\nhidden = 3", ["model.hidden = 3: "]),
        ("[model]\ngain = -1.0", ["model.gain = -1.0: "]),
        ("[model]\ngain = 'date'", ["model.gain = 'date': ", "number", "'data'"]),
        ("[model]\nfamily = 'cnn'", ["model.family = 'cnn': ", "'mlp' or 'convnet'"]),
        ("[model]\nresidual = true", ["model.residual = True: no setting is true or false"]),
        ("[model]\nchannels = [4, 0]", ["model.channels.1 = 0: "]),
        ('[train]\noptimizer = "Adamm"', ["train.optimizer", "did you mean 'adam'?"]),
        ('[rule]\nthreat = "linf"', ["'L2', 'L1'", "did you mean 'Linf'"]),
        ("[rule]\neps = 2.0", ["rule.bounds = (0.0, 1.0): ThreatModel(eps=2.0"]),
        ("[model]\nkernel = 3", ["unknown key model.kernel, did you mean kernel_size"]),
        ("[model]\nreadout = 'reel'", ["model.readout = 'reel': ", "'real'"]),
        (
            "[rule]\nweight = -0.5",
            ["rule.weight = -0.5: input should be greater than or equal to 0"],
        ),
        ("[rule]\nname = 'anlytic'", ["rule.name = 'anlytic': ", "'analytic'"]),
        ("[rule]\neps = -0.1", ["rule.eps = -0.1: input should be greater than or equal to 0"]),
        ("[rule]\neps = true", ["rule.eps = True: no setting is true or false"]),
        ("[rule]\neps = 2.0", ["rule.bounds = (0.0, 1.0): ", "exceeds the range", "'none' is for"]),
        ("[rule]\nbounds = [1.0, 0.0]", ["rule.bounds = [1.0, 0.0]: ", "lower < upper"]),
        ("[rule]\nbounds = 'box'", ["rule.bounds", "'none'"]),
        ("[rule]\nthreat = 'linf'", ["rule.threat = 'linf': ", "'Linf'"]),
        ("[rule]\nwarm_up = 0.0", ["rule.warm_up = 0.0: input should be greater than 0"]),
        ("[rule]\nharmonic = nan", ["rule.harmonic = nan: "]),
        ("[rule]\nprobes = 0", ["rule.probes = 0: ", "equal to 1, or input should be 'exact'"]),
        ("[rule]\nprobes = 'exct'", ["rule.probes = 'exct': ", "integer", "'exact'"]),
        ("[data]\ntrain = 0", ["data.train = 0: "]),
        ("train = 3", ["train = 3: ", "dictionary"]),
        (
            "[train]\nepoch = 3\nlr = 0.0\n[rul]",
            ["train.epoch", "train.lr = 0.0", "did you mean rule"],
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, messages: list[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        RunConfig.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    for message in messages:
        assert message in str(caught.value)
    assert "constrained" not in str(caught.value)  # no inner words of the validator


@pytest.mark.parametrize(
    ("section", "fault", "message"),
    [
        (TrainConfig, {"epochs": 0}, "TrainConfig: epochs = 0: "),
        (TrainConfig, {"momentum": 0.9}, "TrainConfig: momentum = 0.9: adam takes none"),
        (ModelConfig, {"kind": "reel"}, "ModelConfig: kind = 'reel': "),
        (RuleConfig, {"wieght": 1.0}, "RuleConfig: unknown key wieght, did you mean weight"),
        (DataConfig, {"test": -1}, "DataConfig: test = -1: "),
        (RunConfig, {"train": {"lr": 0.0}}, "RunConfig: train.lr = 0.0: "),
    ],
)
def test_construction_raises_errors_of_ours(
    section: Any, fault: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        section(**fault)
    assert str(caught.value).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml does not exist"):
        RunConfig.read(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="is not a regular file"):
        RunConfig.read(tmp_path)
    for content in (b"epochs: 3", b"\xff\xfe"):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ConfigError, match="other is not TOML"):
            RunConfig.read(tmp_path / "other")


DEEP = "[model]\nhidden = " + "[" * 3000 + "]" * 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP, "nested too deeply"),
        (f"[train]\nepochs = {'9' * 5000}", "is not TOML"),
        (f"[train]\nepochs = {'9' * 30}", r"train\.epochs"),
        (f"[train]\nbatch_size = {2**31}", r"train\.batch_size = 2147483648: "),
        ("[model]\nresidual = 1000000000", r"model\.residual = 1000000000: "),
        (f"[model]\nhidden = {[1] * 1001}", r"model\.hidden"),
        ('[data]\nname = "a\\u0000.npz"', r"data\.name"),
        ('[data]\nroot = "a\\u0000"', r"data\.root"),
        ("#" * (1 << 20) + "\n", "at most 1048576 are read"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_beyond_bounds_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        RunConfig.read(str(tmp_path / "run.toml"))


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": (10**9,)},
        {"hidden": (40_000, 40_000)},
        {"hidden": (1000,), "residual": 1000},
        {"hidden": (10**9,), "kind": "real-parameter-matched"},
        {"family": "convnet", "kernel_size": 10**6 + 1},
        {"family": "convnet", "channels": (10**5, 10**5)},
        {"family": "convnet", "dense": (10**8,)},
        {"family": "convnet", "residual": 1000, "channels": (300,), "dense": ()},
    ],
)
def test_a_network_that_no_memory_holds_is_not_begun(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"has about .* weights, and at most 1e\+09 are built"):
        ModelConfig(**settings).build((1, 28, 28), 10)
    with pytest.raises(ConfigError, match="1000000000 classes"):
        ModelConfig().build(4, 10**9)


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(hidden=(5, 4), residual=2),
        ModelConfig(family="convnet", residual=1, pooling=2, stride=1, channels=(3, 4), dense=(6,)),
        ModelConfig(family="convnet", kernel_size=4, dense=()),
    ],
)
def test_the_size_of_a_network_is_counted_before_it_is_built(
    model: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = model.build((1, 12, 11), 10)
    weights = sum(p.numel() for p in network.parameters() if p.ndim > 1)
    monkeypatch.setattr("holonet.training.config.MAX_PARAMETERS", weights)
    model.build((1, 12, 11), 10)
    monkeypatch.setattr("holonet.training.config.MAX_PARAMETERS", weights - 1)
    with pytest.raises(ConfigError, match="has about"):
        model.build((1, 12, 11), 10)


def test_paths_hold_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, root in [("d.NPZ", "raw"), ("~/d.NPZ", "~/raw"), ("./a/../d.NPZ", Path("raw"))]:
        base = tmp_path / "home" if "~" in name else tmp_path
        config = DataConfig(name=name, root=root)  # type: ignore[arg-type]
        assert (config.name, config.root) == (str(base / "d.NPZ"), base / "raw")
        again = RunConfig.from_mapping(tomllib.loads(RunConfig(data=config).to_toml()))
        assert again.data == config
    assert DataConfig(name="MNIST").name == "mnist"
    faults: list[dict[str, Any]] = [{"root": Path(os.fsdecode(b"\xff"))}]
    for fault in [*faults, {"name": os.fsdecode(b"\xff.npz")}]:
        with pytest.raises(ConfigError, match="utf-8"):
            DataConfig(**fault)


def test_differences_name_both_values() -> None:
    other = RunConfig(train=TrainConfig(lr=0.5), data=DataConfig(train=10))
    assert RunConfig().differences(other) == ["data.train: None and 10", "train.lr: 0.003 and 0.5"]


def test_rules_are_built() -> None:
    assert type(RuleConfig(name="standard").build()) is EmpiricalRisk
    rule = RuleConfig(weight=2.0, on="loss", probes="exact", mode="forward").build()
    assert repr(rule) == repr(AnalyticRule(2.0, "loss", None, "forward"))
    rule = RuleConfig(
        weight=2.0, norm="L1", directions="complex", cauchy_riemann=0.5, harmonic=0.25
    ).build()
    terms: dict[str, Any] = {"norm": "L1", "directions": "complex"}
    terms |= {"cauchy_riemann": 0.5, "harmonic": 0.25}
    assert repr(rule) == repr(AnalyticRule(2.0, **terms))
    assert repr(RuleConfig().build()) == repr(AnalyticRule())  # the defaults are the rule's own


def test_rules_that_perturb_are_built() -> None:
    threat = ThreatModel("L2", 0.5, (-1.0, 1.0))
    given: dict[str, Any] = {"threat": "L2", "eps": 0.5, "bounds": (-1.0, 1.0)}
    expected: dict[Any, Rule] = {
        "fgsm": shaham(threat),
        "fgsm-rs": fgsm_rs(threat),
        "pgd": RobustOptimization(threat, steps=3),
        "trades": Trades(threat, beta=6.0, steps=3),
        "linearized": LinearizedRobustOptimization(threat),
        "analytic+fgsm-rs": fgsm_rs(threat, penalties=analytic_penalties(0.1, norm="L1")),
    }
    for name, rule in expected.items():
        found = RuleConfig(name=name, steps=3, beta=6.0, weight=0.1, norm="L1", **given).build()
        assert repr(found) == repr(rule)
    assert repr(RuleConfig(name="pgd").build()) == repr(pgd7(ThreatModel("Linf", 0.1)))


def test_rules_without_a_box() -> None:
    for threat in ("Linf", "polydisc", "complex_ball"):
        bounds: Any = "none" if threat == "Linf" else (0.0, 1.0)  # complex data never have one
        rule = RuleConfig(name="fgsm", threat=threat, eps=3.0, bounds=bounds).build()
        assert repr(rule) == repr(shaham(ThreatModel(threat, 3.0, None)))


@pytest.mark.parametrize(
    ("schedule", "ramp"), [("linear", LinearRamp), ("cosine", CosineRamp), ("constant", None)]
)
def test_schedules_raise_weights_and_radii(schedule: Any, ramp: Any) -> None:
    def weight(final: float) -> Any:
        return final if ramp is None else ramp(final, end=0.25)

    given: dict[str, Any] = {"schedule": schedule, "warm_up": 0.25}
    analytic = RuleConfig(weight=2.0, harmonic=0.5, **given).build()
    assert repr(analytic) == repr(AnalyticRule(weight(2.0), harmonic=weight(0.5)))
    threat, radius = ThreatModel("Linf", 0.1), weight(1.0)
    perturbing = {
        "fgsm": shaham(threat, radius=radius),
        "fgsm-rs": fgsm_rs(threat, radius=radius),
        "pgd": pgd7(threat, radius=radius),
        "trades": Trades(threat, radius=radius),
        "linearized": LinearizedRobustOptimization(threat, radius=radius),
        "analytic+fgsm-rs": fgsm_rs(
            threat, radius=radius, penalties=analytic_penalties(weight(0.3))
        ),
    }
    for name, expected in perturbing.items():
        assert repr(RuleConfig.model_validate({"name": name, **given}).build()) == repr(expected)


def weights(config: ModelConfig, seed: int) -> list[torch.Tensor]:
    return list(config.build(5, 3, seed=seed).state_dict().values())


@pytest.mark.parametrize(
    "kind", ["holomorphic", "real", "real-parameter-matched", "real-mac-matched"]
)
@settings(max_examples=5)  # the sizes of twins are searched by building many networks
@given(seed=seeds, hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_seed_decides_the_weights_and_nothing_else_does(kind, seed, hidden):
    config = ModelConfig(kind=kind, hidden=tuple(hidden))
    before = torch.get_rng_state()
    first = weights(config, seed)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert all(map(torch.equal, first, weights(config, seed)))
    other = weights(config, (seed + 1) % 2**63)
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@settings(max_examples=20)
@given(
    in_features=st.integers(1, 100),
    hidden=st.lists(st.integers(4, 40), min_size=1, max_size=3),
    classes=st.integers(2, 10),
)
def test_a_real_twin_has_about_as_many_parameters(in_features, hidden, classes):
    holomorphic, twin = (
        ModelConfig(kind=kind, hidden=tuple(hidden)).build(in_features, classes)
        for kind in ("holomorphic", "real-parameter-matched")
    )
    count, twin_count = map(real_parameter_count, (holomorphic, twin))
    widest = max(m.out_features for m in twin.modules() if isinstance(m, nn.Linear))
    one_unit_more = in_features + classes + (2 * widest + 1) * len(hidden)
    assert abs(twin_count - count) <= one_unit_more
    assert not any(p.is_complex() for p in twin.parameters())


IMAGES = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CONVNET = ModelConfig(family="convnet", channels=(8, 10), kernel_size=3, dense=(40,))


def test_the_prototype() -> None:
    model = ModelConfig(family="convnet").build((1, 28, 28), 10)
    assert real_parameter_count(model) == 342316
    assert ModelConfig().build((1, 8, 8), 10)(IMAGES).shape == (300, 10)


@pytest.mark.parametrize("options", [{}, {"residual": 1}, {"stride": 1, "pooling": 2}])
def test_convolutional_twins(options: dict[str, Any]) -> None:
    nets = {
        kind: ModelConfig(**{**CONVNET.model_dump(), **options, "kind": kind}).build((1, 8, 8), 10)
        for kind in ("holomorphic", "real", "real-parameter-matched", "real-mac-matched")
    }
    counts = {kind: real_parameter_count(net) for kind, net in nets.items()}
    costs = {kind: macs(net, (1, 8, 8)) for kind, net in nets.items()}
    assert abs(counts["real-parameter-matched"] / counts["holomorphic"] - 1) < 0.01
    assert abs(costs["real-mac-matched"] / costs["holomorphic"] - 1) < 0.01
    assert counts["real"] < counts["real-parameter-matched"] < counts["real-mac-matched"]
    assert all(net(IMAGES[:2]).shape == (2, 10) for net in nets.values())
    assert not any(p.is_complex() for p in nets["real-mac-matched"].parameters())


def test_the_settings_of_convolutional_networks_are_used() -> None:
    config = ModelConfig(
        family="convnet",
        channels=(3,),
        kernel_size=3,
        stride=1,
        pooling=2,
        dense=(7, 6),
        residual=1,
        alpha=0.25,
        norm="frozen",
        activation="sin",
        readout="modulus",
        gain=0.5,
    )
    model = config.build((2, 6, 6), 4, examples=torch.rand(9, 2, 6, 6))
    shapes = [tuple(p.shape) for p in model.parameters() if p.ndim > 1]
    assert shapes == [(3, 2, 3, 3), (3, 3, 3, 3), (7, 27), (7, 7), (6, 7), (6, 6), (4, 6)]
    assert isinstance(model, HolomorphicClassifier)
    assert type(model.readout) is Modulus
    norms = [m for m in model.modules() if isinstance(m, FrozenNorm)]
    assert sum(bool((m.weight == 0.25).all()) for m in norms) == 3
    assert all(m.mean.any() for m in norms)  # measured
    names = {m.function.name for m in model.modules() if isinstance(m, Activation)}
    assert names == {"sin"}
    real = config.model_copy(update={"kind": "real"}).build((2, 6, 6), 4)
    assert [tuple(p.shape) for p in real.parameters() if p.ndim in (2, 4)] == shapes


@pytest.mark.parametrize("config", [ModelConfig(), CONVNET])
def test_the_gain_may_be_set_by_examples(config: ModelConfig) -> None:
    config = config.model_copy(update={"gain": "data"})
    state = torch.get_rng_state()
    models = [config.build((1, 8, 8), 3, seed=5, examples=scale * IMAGES) for scale in (1, 100)]
    assert torch.equal(torch.get_rng_state(), state)
    for model, scale in zip(models, (1, 100), strict=True):
        size = model(scale * IMAGES[:256]).square().mean().sqrt().item() * math.sqrt(2)
        assert 0.8 < size < 1.25
    examples = torch.cat([IMAGES[:256].repeat_interleave(2, 0), IMAGES[:1]])
    spread = config.build((1, 8, 8), 3, seed=5, examples=examples)
    first = config.build((1, 8, 8), 3, seed=5, examples=IMAGES[:256])
    for a, b in zip(spread.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("settings", [{"gain": "data"}, {"norm": "frozen"}])
def test_examples_are_asked_for_where_they_are_needed(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"build\(\.\.\., examples=x_train\)"):
        ModelConfig(**settings).build(4, 2)
    ModelConfig(kind="real-parameter-matched", **settings).build(4, 2)


def test_convolutional_networks_are_for_images() -> None:
    with pytest.raises(ShapeError, match=r"in_shape \(64,\)"):
        CONVNET.build(64, 10)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("real", RealPart), ("imag", ImagPart), ("modulus", Modulus), ("log-modulus", LogModulus)],
)
def test_readouts(name: Any, kind: type[nn.Module]) -> None:
    model = ModelConfig(readout=name).build(4, 2)
    assert isinstance(model, HolomorphicClassifier)
    assert type(model.readout) is kind


def test_an_unknown_activation_is_named_at_build() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown activation 'tahn': .*'tanh'"):
        ModelConfig(activation="tahn").build(4, 2)


def test_a_twin_needs_a_hidden_layer() -> None:
    assert real_parameter_count(ModelConfig(hidden=()).build(4, 2)) == 2 * (4 * 2 + 2)
    with pytest.raises(ConfigError, match="hidden layer"):
        ModelConfig(kind="real-parameter-matched", hidden=()).build(4, 2)


@pytest.mark.parametrize("shape", [(28, 28, 3), (8, 8, 1), (3, 28, 28), (1, 8, 8), (16, 16, 16)])
def test_images_with_their_channels_last_are_told(shape, caplog):
    config = ModelConfig(family="convnet", channels=(2,), dense=(), kernel_size=1)
    config.build(shape, 2)
    assert ("where the channels are last" in caplog.text) == (shape[2] in (1, 3))
    caplog.clear()
    ModelConfig(hidden=(2,)).build(shape, 2)
    assert not caplog.records


RULE_ALTERNATIVES: dict[str, Any] = {
    "weight": 0.7,
    "on": "loss",
    "probes": 3,
    "mode": "forward",
    "norm": "L1",
    "directions": "complex",
    "cauchy_riemann": 0.5,
    "harmonic": 0.5,
    "threat": "L2",
    "eps": 0.33,
    "bounds": (-1.0, 2.0),
    "steps": 3,
    "beta": 4.0,
    "schedule": "linear",
    "warm_up": 0.25,
}


def ignored(section: Any) -> set[str]:
    return {key for keys in section.ignored().values() for key in keys}


@pytest.mark.parametrize("base", [{}, {"schedule": "cosine"}, {"threat": "polydisc"}], ids=str)
def test_a_rule_ignores_a_setting_exactly_if_another_value_makes_the_same_rule(
    base: dict[str, Any],
) -> None:
    def named(name: str, **settings: Any) -> RuleConfig:
        return RuleConfig(**{"name": name, **base, **settings})

    for name in RULE_NAMES:
        config = named(name)
        for key, value in RULE_ALTERNATIVES.items():
            if key not in base:
                other = named(name, **{key: value})
                same = repr(config.build()) == repr(other.build())
                assert same == (key in ignored(config)), (name, key)


@pytest.mark.parametrize("base", [{}, {"residual": 1}, {"norm": "frozen"}], ids=str)
def test_a_model_ignores_a_setting_exactly_if_another_value_makes_the_same_network(
    base: dict[str, Any],
) -> None:
    small: dict[str, Any] = {"hidden": (4, 4), "channels": (2, 2), "dense": (4,), **base}
    others: dict[str, Any] = {
        "hidden": (5,), "channels": (3,), "kernel_size": 3, "stride": 1, "pooling": 2,
        "dense": (7,), "residual": 1, "alpha": 0.5, "norm": "frozen", "activation": "sin",
        "readout": "imag", "gain": 0.3,
    }  # fmt: skip
    x = torch.rand(20, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def built(config: ModelConfig) -> tuple[str, list[float]]:
        model = config.build((1, 16, 16), 3, examples=x)
        return repr(model), [float(v.abs().sum()) for v in model.state_dict().values()]

    for kind in ("holomorphic", "real", "real-parameter-matched", "real-mac-matched"):
        for family in ("mlp", "convnet"):
            config = ModelConfig(kind=kind, family=family, **small)
            for key, value in others.items():
                if key not in base:
                    other = ModelConfig(kind=kind, family=family, **{**small, key: value})
                    same = built(config) == built(other)
                    assert same == (key in ignored(config)), (kind, family, key)


def test_unused_settings_are_named_with_what_ignores_them() -> None:
    unused = RunConfig(rule=RuleConfig(name="standard")).unused()
    assert unused["rule.beta"] == "rule.name = 'standard'"
    assert unused["model.channels"] == "model.family = 'mlp'"
    assert unused["data.root"] == "data.name = 'digits'"
    assert unused["train.momentum"] == "train.optimizer = 'adam'"
    assert unused["train.backend"] == "train.devices = 1"
    assert "data.root" not in RunConfig(data=DataConfig(name="mnist")).unused()
    several = TrainConfig(optimizer="sgd", devices=2)
    assert not any(key.startswith("train.") for key in RunConfig(train=several).unused())
