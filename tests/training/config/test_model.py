"""A network is built from its settings and seed, and settings that change nothing are known."""

import functools
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import leading_monotone
from holonet.errors import ConfigError, ShapeError
from holonet.functions import get_function
from holonet.nn import (
    Activation,
    FrozenNorm,
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
    Threshold,
    init,
    macs,
    real_parameter_count,
)
from holonet.training import ModelConfig
from holonet.training.config.model import activation_record

RELU: dict[str, Any] = {"coefficients": "real", "activation": "relu"}
"""The plain network of torch."""
REAL: dict[str, Any] = {"coefficients": "real"}

seeds = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": (10**9,)},
        {"hidden": (40_000, 40_000)},
        {"hidden": (1000,), "residual": 1000},
        {"hidden": (10**9,), "match": "parameters", **RELU},
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
    monkeypatch.setattr("holonet.training.config.model.MAX_PARAMETERS", weights)
    model.build((1, 12, 11), 10)
    monkeypatch.setattr("holonet.training.config.model.MAX_PARAMETERS", weights - 1)
    with pytest.raises(ConfigError, match="has about"):
        model.build((1, 12, 11), 10)


def weights(config: ModelConfig, seed: int) -> list[torch.Tensor]:
    return list(config.build(5, 3, seed=seed).state_dict().values())


NETWORKS = [{}, REAL, {**REAL, "match": "parameters"}, RELU, {**RELU, "match": "parameters"}]
NETWORKS += [
    pytest.param({**real, "match": "macs"}, marks=pytest.mark.slow) for real in (REAL, RELU)
]


@pytest.mark.parametrize("options", NETWORKS, ids=str)
@settings(max_examples=3)  # widths are searched by building many networks
@given(seed=seeds, hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_seed_decides_the_weights_and_nothing_else_does(options, seed, hidden):
    config = ModelConfig(**options, hidden=tuple(hidden))
    before = torch.get_rng_state()
    first = weights(config, seed)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert all(map(torch.equal, first, weights(config, seed)))
    other = weights(config, (seed + 1) % 2**63)
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@settings(max_examples=5)
@given(
    in_features=st.integers(1, 100),
    hidden=st.lists(st.integers(4, 40), min_size=1, max_size=3),
    classes=st.integers(2, 10),
)
def test_matched_real_networks_have_the_parameters_of_the_complex_one(in_features, hidden, classes):
    complex_, *matched = (
        ModelConfig(**options, match="parameters", hidden=tuple(hidden)).build(in_features, classes)
        for options in ({}, REAL, RELU)
    )
    for network in matched:
        widest = max(m.out_features for m in network.modules() if isinstance(m, nn.Linear))
        one_unit_more = in_features + classes + (2 * widest + 1) * len(hidden)
        error = real_parameter_count(network) - real_parameter_count(complex_)
        assert abs(error) <= one_unit_more
        assert not any(p.is_complex() for p in network.parameters())
        assert network(torch.rand(2, in_features)).dtype == torch.float32
    assert [isinstance(n, HolomorphicClassifier) for n in matched] == [True, False]


IMAGES = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))


CONVNET = ModelConfig(family="convnet", channels=(8, 10), kernel_size=3, dense=(40,))


def test_the_prototype() -> None:
    model = ModelConfig(family="convnet").build((1, 28, 28), 10)
    assert real_parameter_count(model) == 342316
    assert ModelConfig().build((1, 8, 8), 10)(IMAGES).shape == (300, 10)


POOLED = {"stride": 1, "pooling": 2}


@pytest.mark.parametrize(
    ("real", "options"),
    [
        (REAL, {}),
        (RELU, POOLED),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (REAL, POOLED),
                (RELU, {}),
                (REAL, {"residual": 1}),
                (RELU, {"residual": 1}),
            )
        ),
    ],
    ids=str,
)
def test_matched_convolutional_networks(real: dict[str, Any], options: dict[str, Any]) -> None:
    settings = {**CONVNET.model_dump(), **options}
    complex_ = ModelConfig(**settings).build((1, 8, 8), 10)
    nets = {
        match: ModelConfig(**{**settings, **real, "match": match}).build((1, 8, 8), 10)
        for match in ("none", "parameters", "macs")
    }
    counts = {match: real_parameter_count(net) for match, net in nets.items()}
    assert abs(counts["parameters"] / real_parameter_count(complex_) - 1) < 0.01
    assert abs(macs(nets["macs"], (1, 8, 8)) / macs(complex_, (1, 8, 8)) - 1) < 0.01
    assert counts["none"] < counts["parameters"] < counts["macs"]
    assert all(net(IMAGES[:2]).shape == (2, 10) for net in nets.values())
    assert not any(p.is_complex() for net in nets.values() for p in net.parameters())


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
        normalizer="frozen",
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
    relu = config.model_copy(update=RELU).build((2, 6, 6), 4)
    assert [tuple(p.shape) for p in relu.parameters() if p.ndim in (2, 4)] == shapes
    real = config.model_copy(update=REAL).build((2, 6, 6), 4, examples=torch.rand(9, 2, 6, 6))
    assert isinstance(real, HolomorphicClassifier)
    assert type(real.readout) is Modulus
    assert repr(real.backbone) == repr(model.backbone).replace("complex64", "float32")
    assert [(p.shape, p.is_complex()) for p in real.parameters()] == [
        (p.shape, False) for p in model.parameters()
    ]


@pytest.mark.parametrize(
    "config", [ModelConfig(), CONVNET, ModelConfig(**REAL), CONVNET.model_copy(update=REAL)]
)
def test_the_gain_may_be_set_by_examples(config: ModelConfig) -> None:
    config = config.model_copy(update={"gain": "data"})
    state = torch.get_rng_state()
    models = [config.build((1, 8, 8), 3, seed=5, examples=scale * IMAGES) for scale in (1, 100)]
    assert torch.equal(torch.get_rng_state(), state)
    for model, scale in zip(models, (1, 100), strict=True):
        parts = 2 if config.coefficients == "complex" else 1  # of which the readout drops one
        size = model(scale * IMAGES[:256]).square().mean().sqrt().item() * math.sqrt(parts)
        assert 0.8 < size < 1.25
    examples = torch.cat([IMAGES[:256].repeat_interleave(2, 0), IMAGES[:1]])
    spread = config.build((1, 8, 8), 3, seed=5, examples=examples)
    first = config.build((1, 8, 8), 3, seed=5, examples=IMAGES[:256])
    for a, b in zip(spread.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("network", [{}, REAL, RELU], ids=str)
def test_first_weights_may_keep_the_widths_of_intervals(network: dict[str, Any]) -> None:
    config = ModelConfig(**network, gain="intervals", hidden=(300, 300), threshold="shared")
    model = config.build(200, 10, seed=3)
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for layer, slope in zip(
        layers, (0.5, 0.5, 1.0) if network is RELU else (1.0,) * 3, strict=True
    ):
        weight = layer.weight.detach()
        parts = torch.view_as_real(weight) if weight.is_complex() else weight
        row = float(parts.abs().flatten(1).sum(1).mean())
        assert row == pytest.approx(1 / slope, rel=0.05)
    assert "gain" not in ignored(config)
    again = config.build(200, 10, seed=3)
    assert all(map(torch.equal, model.parameters(), again.parameters()))


@pytest.mark.parametrize("settings", [{"gain": "data"}, {"normalizer": "frozen"}])
def test_examples_are_asked_for_where_they_are_needed(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"build\(\.\.\., examples=x_train\)"):
        ModelConfig(**settings).build(4, 2)
    with pytest.raises(ConfigError, match=r"build\(\.\.\., examples=x_train\)"):
        ModelConfig(**settings, **REAL).build(4, 2)
    ModelConfig(**settings, **RELU, match="parameters").build(4, 2)


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


@pytest.mark.parametrize("family", ["mlp", "convnet"])
@pytest.mark.parametrize("network", [{}, REAL, RELU, {**RELU, "match": "parameters"}], ids=str)
def test_a_threshold_stands_in_front_of_the_same_network(
    network: dict[str, Any], family: Any
) -> None:
    small: dict[str, Any] = {"hidden": (5,), "channels": (3,), "kernel_size": 3, "dense": (4,)}
    small |= {**network, "family": family}
    x = torch.rand(3, 2, 6, 6)
    plain = ModelConfig(**small).build((2, 6, 6), 4, seed=1)
    for choice, count in (("shared", 1), ("channel", 2)):
        model = ModelConfig(threshold=choice, **small).build((2, 6, 6), 4, seed=1)
        (*_, first), body = leading_monotone(model)
        assert isinstance(first, Threshold)
        assert first.center.numel() == count
        assert torch.equal(body(first(x)), model(x))
        assert torch.equal(body(x), plain(x))


def test_what_is_measured_on_examples_is_measured_behind_the_threshold() -> None:
    for options in ({"gain": "data"}, {"normalizer": "frozen"}):
        config = ModelConfig(hidden=(5,), threshold="shared", **options)
        model = config.build((1, 8, 8), 3, examples=IMAGES)
        assert model(IMAGES).isfinite().all()
        twin = config.model_copy(update={"threshold": "none"})
        behind = twin.build((1, 8, 8), 3, examples=Threshold()(IMAGES).detach())
        torch.testing.assert_close(behind(Threshold()(IMAGES)), model(IMAGES))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "tahn"}, r"activation = 'tahn': unknown activation 'tahn': .*'tanh'"),
        ({"activation": "relu"}, r"activation = 'relu': relu is piecewise .*choose"),
        ({"coefficients": "real", "readout": "imag"}, r"readout = 'imag': .* 0: choose"),
        ({"coefficients": "rational", "activation": "relu"}, r"coefficients = 'rational'"),
        ({"activation": "abs(z)"}, r"activation = 'abs\(z\)': .*'Abs\(z\)' is not holomorphic"),
        ({"activation": "x*y"}, "one variable and has x, y"),
        ({"activation": "2 + 3"}, "one variable and has none"),
        ({"activation": "foo(z)"}, "no function foo"),
        ({"activation": "z +"}, "cannot be read"),
        ({"module": "net"}, "module = 'net': write module:function, or path/to/file.py:function"),
    ],
)
def test_settings_that_make_no_network_are_refused_before_the_build(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**settings)


def test_a_formula_is_an_activation_with_its_class_and_singularities() -> None:
    for formula, twin in {"z*exp(-z**2)": "entire", "z/(z**2 + 1)": "meromorphic"}.items():
        config = ModelConfig(activation=formula, hidden=(3,))
        assert ModelConfig(**config.model_dump()) == config
        network = config.build(4, 2)
        assert isinstance(network, HolomorphicClassifier)
        activation = network.get_submodule("backbone.2")
        assert isinstance(activation, Activation)
        assert activation.function.formula == formula
        assert activation.function.function_class.value in (twin, "rational")
        assert len(activation.singularities) == (twin == "meromorphic")
    assert activation_record("tanh") is get_function("tanh")
    assert activation_record(formula) is activation_record(formula)


def test_relu_ignores_the_readout_instead_of_refusing_it() -> None:
    assert ModelConfig(**RELU, readout="imag").build(4, 2)(torch.rand(3, 4)).shape == (3, 2)


def test_an_own_network_is_drawn_from_the_seed_and_ignores_the_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from torch import nn\ndef net():\n    return nn.Linear(4, 2)\n"
    (tmp_path / "own_of_config.py").write_text(text)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    config = ModelConfig(module="own_of_config.py:net")
    assert config.module == f"{tmp_path / 'own_of_config.py'}:net"  # from any folder
    assert ignored(config) == set(ModelConfig.model_fields) - {"module"}
    monkeypatch.chdir("/")
    state = torch.get_rng_state()
    weights = [config.build(4, 2, seed=seed).get_parameter("weight") for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not config.is_holomorphic


def test_a_matched_network_needs_a_hidden_layer() -> None:
    assert real_parameter_count(ModelConfig(hidden=()).build(4, 2)) == 2 * (4 * 2 + 2)
    for real in (REAL, RELU):
        with pytest.raises(ConfigError, match="hidden layer"):
            ModelConfig(**real, match="parameters", hidden=()).build(4, 2)


@pytest.mark.parametrize("shape", [(28, 28, 3), (8, 8, 1), (3, 28, 28), (1, 8, 8), (16, 16, 16)])
def test_images_with_their_channels_last_are_told(shape, caplog):
    config = ModelConfig(family="convnet", channels=(2,), dense=(), kernel_size=1)
    config.build(shape, 2)
    assert ("where the channels are last" in caplog.text) == (shape[2] in (1, 3))
    caplog.clear()
    ModelConfig(hidden=(2,)).build(shape, 2)
    assert not caplog.records


def ignored(section: Any) -> set[str]:
    return {key for keys in section.ignored().values() for key in keys}


ALL = [{**real, "match": match} for real in (REAL, RELU) for match in ("parameters", "macs")]
ALL += [{}, REAL, RELU]
BASES: list[dict[str, Any]] = [{}, {"residual": 1}, {"normalizer": "frozen"}]


@pytest.mark.parametrize(
    ("base", "networks"),
    [
        *zip(BASES, ([{}, REAL, RELU], [{}], [REAL]), strict=True),
        *(pytest.param(base, ALL, marks=pytest.mark.slow) for base in BASES),
    ],
    ids=str,
)
def test_a_model_ignores_a_setting_exactly_if_another_value_makes_the_same_network(
    base: dict[str, Any], networks: list[dict[str, Any]]
) -> None:
    small: dict[str, Any] = {"hidden": (4, 4), "channels": (2,), "dense": (4,), **base}
    others: dict[str, Any] = {
        "hidden": (5,), "channels": (3,), "kernel_size": 3, "stride": 1, "pooling": 2,
        "dense": (7,), "residual": 1, "alpha": 0.5, "normalizer": "frozen", "activation": "sin",
        "readout": "modulus", "gain": 0.3, "threshold": "channel",
    }  # fmt: skip
    size = {"mlp": 4, "convnet": 8}  # small: the matched widths are searched

    @functools.cache
    def built(config: ModelConfig) -> tuple[str, list[float]]:
        side = size[config.family]
        x = torch.rand(20, 1, side, side, generator=torch.Generator().manual_seed(0))
        model = config.build((1, side, side), 3, examples=x)
        return repr(model), [float(v.abs().sum()) for v in model.state_dict().values()]

    for network in networks:
        for family in ("mlp", "convnet"):
            own = {**small, **network, "family": family}
            config = ModelConfig(**own)
            others["match"] = "parameters" if config.match == "none" else "none"
            for key, value in others.items():
                if key not in base:
                    other = ModelConfig(**{**own, key: value})
                    same = built(config) == built(other)
                    assert same == (key in ignored(config)), (network, family, key)


PAIRED: dict[str, Any] = {"coefficients": "real", "lift": "pair", "hidden": (5, 4)}


@pytest.mark.parametrize("options", [{}, {"activation": "relu"}, {"gain": "data"}], ids=str)
def test_a_network_on_pairs_is_the_real_network_of_both_parts(options: dict[str, Any]) -> None:
    z = torch.randn(9, 3, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    parts = torch.cat([z.real, z.imag], 1)
    network = ModelConfig(**PAIRED, **options).build(3, 2, examples=z)
    plain = {**PAIRED, **options, "lift": "none"}
    expected = ModelConfig(**plain).build(6, 2, examples=parts)
    expected.load_state_dict(network.get_submodule("1").state_dict())
    torch.testing.assert_close(network(z), expected(parts))
    assert not any(p.is_complex() for p in network.parameters())
    if options.get("gain") == "data":  # it was measured on the parts: once more changes nothing
        init.data_dependent_(expected, parts)
        torch.testing.assert_close(network(z), expected(parts))


def test_images_on_pairs_have_twice_the_channels() -> None:
    model = ModelConfig(**{**PAIRED, "family": "convnet", "channels": (2,), "dense": (3,)})
    network = model.build((2, 8, 8), 3)
    assert network(torch.zeros(1, 2, 8, 8, dtype=torch.complex64)).shape == (1, 3)


@pytest.mark.parametrize("match", ["parameters", "macs"])
def test_a_matched_network_on_pairs_has_the_size_of_the_complex_one(match: Any) -> None:
    _, twin = ModelConfig(**{**PAIRED, "hidden": (20, 20), "match": match}).build(16, 6).children()
    target = ModelConfig(hidden=(20, 20)).build(16, 6)
    sizes = real_parameter_count(twin), real_parameter_count(target)
    if match == "macs":
        sizes = macs(twin, (32,)), macs(target, (16,))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.03)


def test_complex_coefficients_ignore_the_lift() -> None:
    assert "lift" in ignored(ModelConfig(lift="pair"))
    assert "lift" not in ignored(ModelConfig(**PAIRED))
