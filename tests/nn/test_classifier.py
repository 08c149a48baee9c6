"""HolomorphicClassifier: real in, real out, holomorphic in between."""

import io
import os

import pytest
import torch
from torch import nn as tnn

import fresh_python
from cases import each
from holonet import nn
from holonet.calculus import Probes, dbar_norm_squared, partial_z_along
from holonet.domains import Plane, SlitPlane
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError
from holonet.functions import FunctionClass

READOUTS = [None, nn.RealPart(), nn.ImagPart(), nn.Modulus(), nn.LogModulus(0.1)]


def model(readout=None, dtype=torch.complex64):
    layers = nn.Flatten(), nn.Linear(6, 4, dtype=dtype), nn.Sin(), nn.Linear(4, 3, dtype=dtype)
    return nn.HolomorphicClassifier(nn.Sequential(*layers), readout)


@each("readout", READOUTS, ids=repr)
@each("dtype", [torch.complex64, torch.complex128])
def test_real_images_give_real_logits_of_the_holomorphic_map(readout, dtype):
    net = model(readout, dtype)
    x = torch.rand(5, 2, 3, dtype=dtype.to_real())
    logits = net(x)
    assert logits.shape == (5, 3)
    assert logits.dtype is dtype.to_real()
    lifted = x.to(dtype)
    torch.testing.assert_close(logits, (readout or nn.RealPart())(net.holomorphic_map(lifted)))
    torch.testing.assert_close(logits, net(lifted))
    assert net.dtype is dtype


@each("readout", [r for r in READOUTS if not isinstance(r, nn.ImagPart)], ids=repr)
def test_real_coefficients_keep_real_images_real(readout):
    net = model(readout, torch.float64)
    x = torch.rand(5, 2, 3, dtype=torch.float64)
    assert net.backbone(x).dtype is net(x).dtype is torch.float64
    assert net.dtype is net.holomorphic_map(x + 0j).dtype is torch.complex128
    torch.testing.assert_close(net(x), net(x + 0j))
    assert net(x.float()).dtype is torch.float64
    z = x + 1j * torch.rand_like(x)
    torch.testing.assert_close(
        net.holomorphic_map(z.conj()), net.holomorphic_map(z).conj().resolve_conj()
    )
    assert model(readout, torch.float32)(x).dtype is torch.float32


def test_the_imaginary_part_behind_real_coefficients_is_refused():
    with pytest.raises(ConfigError, match=r"ImagPart behind real coefficients.*RealPart"):
        model(nn.ImagPart(), torch.float32)
    mixed = nn.Sequential(nn.Linear(6, 4, dtype=torch.float32), nn.Sin(), nn.Linear(4, 3))
    assert nn.HolomorphicClassifier(mixed, nn.ImagPart())(torch.rand(2, 6)).any()


def test_real_images_of_any_precision_are_lifted():
    net = model()
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert net(torch.rand(2, 6, dtype=dtype)).dtype is torch.float32
    assert nn.HolomorphicClassifier(nn.Exp()).dtype is torch.complex64


def test_complex_input_is_not_rounded_behind_ones_back():
    with pytest.raises(InputTypeError, match="to_precision"):
        model()(torch.zeros(2, 6, dtype=torch.complex128))


def test_the_holomorphic_map_is_holomorphic_and_the_logits_are_not():
    net = model(dtype=torch.complex128)
    z = torch.randn(9, 6, dtype=torch.complex128)
    slope = partial_z_along(net.holomorphic_map, z, Probes(0).like(z)).abs().square().sum(1)
    leak = dbar_norm_squared(net.holomorphic_map, z, probes=Probes(0))
    assert (leak < 1e-26 * slope).all()
    logits = dbar_norm_squared(lambda z: net(z).to(z.dtype), z, probes=Probes(0))
    assert (logits > 1e-3 * slope).all()


def test_declarations_are_those_of_the_backbone_and_the_readout():
    net = model()
    assert net.function_class is FunctionClass.HARMONIC
    assert net.domain == Plane()
    assert net.singularities == ()
    assert model(nn.Modulus()).function_class is FunctionClass.SUBHARMONIC
    net = nn.HolomorphicClassifier(nn.Tanh())
    assert net.domain == nn.Tanh().domain
    assert isinstance(net.domain, SlitPlane)
    assert net.singularities == nn.Tanh().singularities
    net = nn.HolomorphicClassifier(tnn.Linear(3, 3, dtype=torch.cfloat))
    assert net.domain == Plane()


def test_a_classifier_is_no_backbone():
    with pytest.raises(NotHolomorphicError, match=r"'backbone': .*is harmonic"):
        nn.HolomorphicClassifier(model())


@pytest.mark.parametrize("readout", [tnn.Identity(), nn.Exp()])
def test_a_holomorphic_readout_is_refused(readout):
    with pytest.raises(ConfigError, match=r"logits would be complex: end with nn\.RealPart"):
        nn.HolomorphicClassifier(nn.Linear(3, 3), readout)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_integer_images_are_refused(dtype):
    with pytest.raises(InputTypeError, match=r"x\.float\(\) / 255"):
        model()(torch.zeros(2, 6, dtype=dtype))


# in a process of its own: annotations that are checked break the graph
READ_BY_TORCH = """
import io
import sys
import warnings

import torch

from holonet import nn

warnings.filterwarnings("ignore", category=DeprecationWarning)  # of torch.jit, and inside of torch
torch.manual_seed(0)
fields = dict(
    complex=[torch.complex64] * 3,
    real=[torch.float32] * 3,
    mixed=[torch.float32, torch.complex64, torch.float32],
)[sys.argv[1]]
sizes = (6, 70), (70, 70), (70, 3)
first, second, last = (nn.Linear(*size, dtype=d) for size, d in zip(sizes, fields))
inner, outer = (getattr(nn, name)() for name in sys.argv[3].split(","))
net = nn.HolomorphicClassifier(nn.Sequential(first, inner, second, outer, last))
parameters = list(net.parameters())
net(torch.rand(9, 6)).sum().backward()  # compiled code is there, and steps back


def results(f, x):
    value = f(x)
    return value, *torch.autograd.grad(value.square().sum(), parameters)


def same(f, sizes, derived=True):
    for size in sizes:
        x = torch.rand(size, 6)
        pairs = zip(results(f, x), results(net, x)) if derived else [(f(x), net(x))]
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


compilers = dict(eager=dict(dynamic=True), aot_eager={})
for backend in sys.argv[2].split(","):
    torch._dynamo.reset()
    options = compilers[backend]
    same(torch.compile(net, backend=backend, fullgraph=True, **options), (50,))

dynamic = ({0: torch.export.Dim("batch")},)
exported = torch.export.export(net, (torch.rand(5, 6),), dynamic_shapes=dynamic)
same(exported.module(), (2, 300, 5000), derived=False)

buffer = io.BytesIO()
with warnings.catch_warnings():
    warnings.filterwarnings("error", category=torch.jit.TracerWarning)
    torch.jit.save(torch.jit.trace(net, torch.rand(5, 6)), buffer)
buffer.seek(0)
same(torch.jit.load(buffer), (1, 300), derived=False)
"""


BOTH = "eager,aot_eager"
COEFFICIENTS = ("complex", "real", "mixed")


@pytest.mark.parametrize(
    ("coefficients", "compilers", "activations"),
    [
        ("complex", "aot_eager", "Sin,Square"),
        *(pytest.param(c, BOTH, "Tanh,GELU", marks=pytest.mark.slow) for c in COEFFICIENTS),
    ],
)
def test_torch_compiles_exports_and_traces_it(coefficients, compilers, activations):
    environment = {**os.environ, "HOLONET_BACKEND": "auto"}
    done = fresh_python.run(
        "-c", READ_BY_TORCH, coefficients, compilers, activations, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, and inside of torch
@each("activation", ["square", "gelu"])
def test_a_real_convnet_behind_a_threshold_is_exported_and_traced(activation):
    body = nn.holomorphic_convnet(
        (3, 8, 8), (4, 5), 3, kernel_size=3, dense=(6,), activation=activation, coefficients="real"
    ).backbone
    net = nn.HolomorphicClassifier(nn.Sequential(nn.Threshold(channels=3), *body)).eval()
    x = torch.rand(5, 3, 8, 8)
    dynamic = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(net, (x,), dynamic_shapes=dynamic).module()
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(net, x), buffer)
    buffer.seek(0)
    traced = torch.jit.load(buffer)
    for count in (2, 40):
        x = torch.rand(count, 3, 8, 8)
        for read in (exported, traced):
            torch.testing.assert_close(read(x), net(x))


def test_a_readout_that_was_exchanged_is_looked_at():
    net = model()
    net.readout = nn.Linear(3, 3)
    with pytest.raises(ConfigError, match="logits would be complex"):
        _ = net.function_class
