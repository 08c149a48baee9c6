"""Activations say what their records say."""

import copy
import multiprocessing
import pickle

import pytest
import torch
from torch.nn import functional

from cases import each
from holonet import nn
from holonet.errors import InputTypeError, UnknownNameError
from holonet.functions import CATALOGUE, blaschke, moebius, polynomial

NAMED = {
    "square": nn.Square,
    "exp": nn.Exp,
    "sin": nn.Sin,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
}


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    """Any, in place of "reference": activations of any size are saved, traced and sent."""


@each("record", CATALOGUE.values(), ids=lambda r: r.name)
def test_an_activation_is_its_record(record):
    layer = nn.Activation(record.name)
    z = record.domain.sample(20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(z), record(z))
    assert layer.function is record
    assert layer.function_class is record.function_class
    assert layer.singularities == record.singularities
    assert layer.domain == record.domain
    assert record.formula in repr(layer)
    torch.testing.assert_close(layer.margin(z), record.clearance(z))


@each("name", NAMED)
def test_the_named_ones(name):
    layer = NAMED[name]()
    assert layer.function is CATALOGUE[name]
    assert type(layer).__name__.lower() == name


def test_a_record_of_ones_own():
    record = moebius(1, 1j, 2, 1)
    z = torch.randn(4, dtype=torch.complex64)
    assert torch.equal(nn.Activation(record)(z), record(z))
    assert nn.Activation(record).margin(torch.tensor([-0.5 + 0j])) == 0


def test_an_unknown_name_gets_near_misses():
    with pytest.raises(UnknownNameError, match=r"unknown activation 'tahn': did you mean .*'tanh'"):
        nn.Activation("tahn")


REAL = {
    "square": torch.square,
    "exp": torch.exp,
    "sin": torch.sin,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "erf": torch.erf,
    "asinh": torch.asinh,
    "atan": torch.atan,
}


@each("name", REAL)
@each("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_real_input_gives_torchs_own_real_function(name, dtype):
    layer, x = nn.Activation(name), torch.randn(3, 4, dtype=dtype)
    assert layer.takes_real
    assert torch.equal(layer(x), REAL[name](x))


def test_real_input_is_refused_where_values_are_complex():
    layer = nn.Activation(moebius(1, 1j, 2, 1))
    assert not layer.takes_real
    with pytest.raises(InputTypeError, match=r"moebius.*got a real tensor.*HolomorphicClassifier"):
        layer(torch.zeros(3))
    with pytest.raises(InputTypeError, match=r"Square got a tensor of integers .*z\.float\(\)"):
        nn.Square()(torch.zeros(3, dtype=torch.int64))


@each("name", CATALOGUE)
def test_networks_of_catalogue_activations_can_be_pickled_and_copied(name):
    model = nn.holomorphic_mlp(3, [4], 2, activation=name)
    x = torch.rand(5, 3)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        torch.testing.assert_close(twin(x), model(x), rtol=0, atol=0, equal_nan=True)
        assert twin.backbone[2].function is CATALOGUE[name]


def test_a_copy_keeps_a_record_of_the_users():
    record = moebius(1, 2, 0, 1)
    assert copy.deepcopy(nn.Activation(record)).function.formula == record.formula


@pytest.mark.usefixtures("forked_processes")
def test_models_of_parametrized_records_are_saved_and_sent_to_other_processes(tmp_path):
    records = (polynomial([0, 1, 0.3]), moebius(1, 0, 0.5, 1), blaschke([0.5]))
    model = nn.Sequential(*(nn.Activation(record) for record in records))
    z = 0.3 * torch.randn(5, dtype=torch.complex64)
    torch.save(model, tmp_path / "model.pt")
    assert torch.equal(torch.load(tmp_path / "model.pt", weights_only=False)(z), model(z))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert torch.equal(torch.tensor(pool.apply(_values, (model, z.tolist()))), model(z))


def _values(model, z):
    return model(torch.tensor(z)).tolist()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=() if name in ("square", "tanh", "gelu", "log") else pytest.mark.slow
        )
        for name in CATALOGUE
    ],
)
def test_torchscript_keeps_an_activation_for_every_size(name, tmp_path):
    layer = nn.Activation(name)
    z = 0.3 * torch.randn(200, dtype=torch.complex64) + 0.5
    traced = torch.jit.trace(layer, z.clone().requires_grad_())
    torch.jit.save(traced, tmp_path / "layer.pt")
    loaded = torch.jit.load(tmp_path / "layer.pt")
    for shape in ((200,), (3, 5)):
        w = 0.3 * torch.randn(shape, dtype=torch.complex64) + 0.5
        torch.testing.assert_close(loaded(w), layer(w), rtol=1e-4, atol=1e-5)
