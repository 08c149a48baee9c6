"""The first programs of a new user: each runs, or fails in words that say what to do."""

import importlib
import re

import pytest
import torch
from torch import Tensor
from torch import nn as tnn
from torch.utils.data import DataLoader, TensorDataset

from holonet import nn
from holonet.attacks import ThreatModel, worst_case
from holonet.data import Dataset
from holonet.diagnostics import holomorphy_check
from holonet.errors import (
    ConfigError,
    DataError,
    InputTypeError,
    NotHolomorphicError,
    ShapeError,
    UnknownNameError,
)
from holonet.interop import autoattack
from holonet.symbolic import from_sympy
from holonet.testing import assert_harmonic, assert_holomorphic
from holonet.training import (
    EmpiricalRisk,
    LinearizedRobustOptimization,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
    build_model,
    fit,
    load,
    load_run,
)

THREAT = ThreatModel("Linf", eps=0.05)


def images(count: int = 120) -> tuple[Tensor, Tensor]:
    """Bright squares in one of four corners, with noise."""
    y = torch.arange(count) % 4
    x = 0.2 * torch.rand(count, 1, 8, 8)
    for label, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        x[y == label, :, row : row + 4, column : column + 4] += 0.7
    return x, y


def loader() -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(*images()), batch_size=30, shuffle=True)


def accuracy(model: tnn.Module) -> float:
    x, y = images()
    return float((model.eval()(x).argmax(1) == y).float().mean())


def real_cnn() -> tnn.Module:
    return tnn.Sequential(
        tnn.Conv2d(1, 4, 3), tnn.BatchNorm2d(4), tnn.ReLU(), tnn.Flatten(), tnn.Linear(144, 4)
    )


def test_a_cnn_of_torch_is_trained_by_a_rule_in_a_loop_of_its_own() -> None:
    model, rule = real_cnn(), LinearizedRobustOptimization(THREAT)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(5):
        for x, y in loader():
            optimizer.zero_grad()
            rule(model, x, y).backward()
            optimizer.step()
    assert accuracy(model) > 0.9


def test_one_loader_and_a_rule_by_name_are_refused_by_fit() -> None:
    x, y = images(12)
    data = Dataset(x.clamp(0, 1), y, x.clamp(0, 1), y, 4, "corners")
    with pytest.raises(InputTypeError, match=r"two or three torch DataLoaders"):
        fit(real_cnn(), loader(), EmpiricalRisk())
    for rule in ("pgd", lambda model, x, y: model(x).sum()):
        with pytest.raises(InputTypeError, match=r"such as EmpiricalRisk\(\)"):
            fit(real_cnn(), data, rule)


def test_layers_of_torch_that_are_not_holomorphic_are_refused_with_the_way_out() -> None:
    ways = {
        tnn.BatchNorm2d(4): "nn.FrozenNorm",
        tnn.LayerNorm(4): "nn.FrozenNorm",
        tnn.Tanh(): "nn.Tanh",
        tnn.ReLU(): "'softplus'",
        tnn.Softmax(1): "cross_entropy takes logits",
    }
    for layer, way in ways.items():
        with pytest.raises(NotHolomorphicError, match=re.escape(way)):
            nn.Sequential(nn.Conv2d(1, 4, 3), layer, nn.Flatten(), nn.Linear(144, 3))
    with pytest.raises(UnknownNameError, match=r"relu is not holomorphic.*'gelu'"):
        nn.Activation("relu")


def test_one_example_without_a_batch_axis_is_told() -> None:
    model = nn.HolomorphicClassifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    with pytest.raises(ShapeError, match="unsqueeze"):
        model(torch.rand(4))


def test_an_activation_is_made_from_a_formula() -> None:
    model = nn.holomorphic_mlp(64, [16], 4, activation=from_sympy("z*exp(-z**2)"))
    x, y = images()
    fit(
        model,
        Dataset(x.clamp(0, 1), y, x.clamp(0, 1), y, 4, "corners"),
        LinearizedRobustOptimization(THREAT),
        TrainConfig(epochs=10),
    )
    assert accuracy(model) > 0.9
    assert_holomorphic(model.holomorphic_map, x[:2].to(torch.complex64))


def test_a_model_of_ones_own_is_checked() -> None:
    x, _ = images(4)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 3))
    assert holomorphy_check(net, 0.1 * x.to(torch.complex64)).passed
    smooth = tnn.Sequential(tnn.Flatten(), tnn.Linear(64, 4), tnn.GELU(), tnn.Linear(4, 3))
    with pytest.raises(InputTypeError, match=r"takes no complex points.*assert_harmonic"):
        holomorphy_check(smooth, x)
    with pytest.raises(AssertionError, match=r"not harmonic: .* of the batch"):
        assert_harmonic(smooth, x)


def test_a_layer_that_declares_nothing_is_refused() -> None:
    class Forgot(nn.HolomorphicModule):
        def forward(self, z: Tensor) -> Tensor:
            return z * z.conj()

    with pytest.raises(NotHolomorphicError, match="declares no function_class"):
        Forgot()


def test_robust_training_in_fabric() -> None:
    fabric = pytest.importorskip("lightning_fabric").Fabric(accelerator="cpu", devices=1)
    model = nn.HolomorphicClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Square(), nn.Linear(8, 4))
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    rule = LinearizedRobustOptimization(THREAT)
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer)
    for _ in range(10):
        for x, y in loader():
            wrapped_optimizer.zero_grad()
            fabric.backward(rule(wrapped, x, y))
            wrapped_optimizer.step()
    assert accuracy(model) > 0.9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_robust_training_in_lightning() -> None:
    lightning = importlib.import_module("lightning")  # five seconds

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.holomorphic_mlp(64, [8], 4)
            self.rule = LinearizedRobustOptimization(THREAT)

        def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            return self.rule(self.model, *batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), 1e-2)

    classifier = Classifier()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(max_epochs=10, accelerator="cpu", **options)
    trainer.fit(classifier, loader())
    assert accuracy(classifier.model) > 0.9


@pytest.fixture
def trained() -> tuple[tnn.Module, Tensor, Tensor]:
    x, y = images(60)
    x = x.clamp(0, 1)
    model = nn.holomorphic_mlp(64, [8], 4)
    data = Dataset(x, y, x, y, 4, "corners")
    fit(model, data, LinearizedRobustOptimization(THREAT), TrainConfig(epochs=10))
    return model.eval(), x[:6], y[:6]


@pytest.mark.usefixtures("forked_processes")
def test_a_model_is_evaluated_with_autoattack(
    trained: tuple[tnn.Module, Tensor, Tensor],
) -> None:
    pytest.importorskip("pyautoattack")
    model, x, y = trained
    threat = ThreatModel("Linf", eps=0.5)
    result = autoattack(model, x, y, threat, seed=0)
    ours = worst_case(model, x, y, threat, seed=0)
    assert threat.contains(result.x_adv, x).all()
    assert result.accuracy == ours.accuracy == 0.0


def test_complex_data_are_told_which_network_and_norm_they_need() -> None:
    x = torch.randn(12, 4, dtype=torch.complex64)
    data = Dataset(x, torch.arange(12) % 3, x, torch.arange(12) % 3, 3, "iq")
    relu = ModelConfig(coefficients="real", activation="relu")
    with pytest.raises(ConfigError, match="--lift pair"):
        build_model(RunConfig(model=relu), data)
    with pytest.raises(ConfigError, match=r"rule\.norm = 'polydisc'"):
        build_model(RunConfig(), data)
    run = RunConfig(rule=RuleConfig(norm="polydisc"))
    records = fit(build_model(run, data), data, run.rule.build(), TrainConfig(epochs=1))
    assert records[-1]["epoch"] == 1


def test_paths_may_be_texts_and_moved_data_leave_the_network(tmp_path) -> None:
    numpy = pytest.importorskip("numpy")
    x, y = images(30)
    file = tmp_path / "own.npz"
    numpy.savez(file, x=x.clamp(0, 1).numpy(), y=y.numpy())
    run = RunConfig.from_mapping({"data": {"name": str(file)}, "train": {"epochs": 1}})
    from holonet.training import load_data, open_run

    folder = str(tmp_path / "run")
    data = load_data(run.data)
    with open_run(folder, run):
        fit(build_model(run, data), data, run.rule.build(), run=run, run_dir=folder)
    assert load_run(folder)[1].name == "own"
    file.unlink()
    with pytest.raises(DataError, match=r"holonet\.load needs no data"):
        load_run(folder)
    assert load(folder)(x[:2]).shape == (2, 4)
