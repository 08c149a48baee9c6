"""The contract of every module that nn exports, whatever it computes."""

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn as tnn
from torch.func import functional_call

from cases import each
from holonet import nn
from holonet.calculus import Probes, dbar_norm_squared, partial_z_along
from holonet.domains import Plane
from holonet.errors import HolonetError, InputTypeError, NotHolomorphicError
from holonet.functions import FunctionClass
from holonet.nn.coefficients import real_dtype

C64, C128 = torch.complex64, torch.complex128


@dataclass(frozen=True)
class Case:
    """How to build a module, and the shape of one example; `ones` is the same with sizes 1.

    Points are complex. `build` and `ones` get their dtype, or its real dtype for real coefficients.
    """

    build: Callable[[torch.dtype], tnn.Module]
    shape: tuple[int, ...]
    ones: Callable[[torch.dtype], tnn.Module] | None = None
    unbatched: bool = True
    real: bool = False

    def blank(self, dtype=C128, what="build"):
        """The module as it is built, or the one with sizes 1."""
        return getattr(self, what)(dtype.to_real() if self.real else dtype)

    def module(self, dtype=C128):
        """The module with parameters off their initial values, zero biases above all."""
        torch.manual_seed(0)
        module = self.blank(dtype)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return module

    def points(self, count=4, dtype=C128, seed=1):
        """Points off the zeros, the cuts and the poles of everything below."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, *self.shape, generator=generator, dtype=dtype)
        return 0.3 * noise + (0.5 + 0.2j)


def plain(build, shape=(3,)):
    return Case(lambda dtype: build(), shape, lambda dtype: build())


CASES = {
    nn.Linear: Case(lambda d: nn.Linear(3, 2, dtype=d), (3,), lambda d: nn.Linear(1, 1, dtype=d)),
    nn.Conv1d: Case(
        lambda d: nn.Conv1d(2, 3, 2, dtype=d), (2, 3), lambda d: nn.Conv1d(1, 1, 1, dtype=d)
    ),
    nn.Conv2d: Case(
        lambda d: nn.Conv2d(2, 2, 2, dtype=d), (2, 3, 2), lambda d: nn.Conv2d(1, 1, 1, dtype=d)
    ),
    nn.ConvTranspose2d: Case(
        lambda d: nn.ConvTranspose2d(2, 2, 2, dtype=d),
        (2, 2, 2),
        lambda d: nn.ConvTranspose2d(1, 1, 1, dtype=d),
    ),
    nn.AvgPool1d: Case(lambda d: nn.AvgPool1d(2), (2, 4), lambda d: nn.AvgPool1d(1)),
    nn.AvgPool2d: Case(lambda d: nn.AvgPool2d(2), (2, 4, 2), lambda d: nn.AvgPool2d(1)),
    nn.AvgPool3d: Case(lambda d: nn.AvgPool3d(2), (1, 2, 2, 2), lambda d: nn.AvgPool3d(1)),
    nn.AdaptiveAvgPool1d: plain(lambda: nn.AdaptiveAvgPool1d(2), (2, 5)),
    nn.AdaptiveAvgPool2d: plain(lambda: nn.AdaptiveAvgPool2d((2, 1)), (2, 3, 2)),
    nn.AdaptiveAvgPool3d: plain(lambda: nn.AdaptiveAvgPool3d(1), (1, 2, 2, 2)),
    nn.Activation: plain(lambda: nn.Activation("atan")),
    **{
        kind: plain(kind)
        for kind in (nn.Square, nn.Exp, nn.Sin, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.GELU)
    },
    nn.FrozenNorm: Case(
        lambda d: nn.FrozenNorm(3, dtype=d), (3,), lambda d: nn.FrozenNorm(1, dtype=d)
    ),
    nn.Threshold: Case(
        lambda d: nn.Threshold(1.5, channels=3, dtype=real_dtype(d)),
        (3,),
        lambda d: nn.Threshold(dtype=real_dtype(d)),
        real=True,
    ),
    nn.Flatten: Case(
        lambda d: nn.Flatten(), (2, 3), lambda d: nn.Flatten(), unbatched=False
    ),  # the first axis is the batch, always
    nn.Sequential: Case(
        lambda d: nn.Sequential(nn.Linear(3, 4, dtype=d), nn.Tanh(), nn.Linear(4, 2, dtype=d)),
        (3,),
        lambda d: nn.Sequential(nn.Linear(1, 1, dtype=d), nn.Tanh()),
    ),
    nn.Residual: Case(
        lambda d: nn.Residual(nn.Sequential(nn.Linear(3, 3, dtype=d), nn.Sin())),
        (3,),
        lambda d: nn.Residual(nn.Linear(1, 1, dtype=d)),
    ),
    nn.Product: Case(
        lambda d: nn.Product(nn.Linear(3, 2, dtype=d), nn.Linear(3, 2, dtype=d)),
        (3,),
        lambda d: nn.Product(nn.Linear(1, 1, dtype=d), nn.Exp()),
    ),
    nn.HolomorphicClassifier: Case(
        lambda d: nn.HolomorphicClassifier(
            nn.Sequential(nn.Linear(3, 4, dtype=d), nn.Square(), nn.Linear(4, 2, dtype=d))
        ),
        (3,),
        lambda d: nn.HolomorphicClassifier(nn.Linear(1, 1, dtype=d)),
    ),
    nn.RealPart: plain(nn.RealPart),
    nn.ImagPart: plain(nn.ImagPart),
    nn.Modulus: plain(nn.Modulus),
    nn.LogModulus: plain(nn.LogModulus),
    nn.RealPairs: Case(
        lambda d: nn.RealPairs(), (3,), lambda d: nn.RealPairs(), unbatched=False
    ),  # the axis behind the batch axis is doubled
}


def mixed(dtype):
    """Real coefficients, then complex ones, then real ones again."""
    real = dtype.to_real()
    return nn.Sequential(
        nn.Linear(3, 4, dtype=real),
        nn.Sin(),
        nn.Linear(4, 3, dtype=dtype),
        nn.Linear(3, 2, dtype=real),
    )


COEFFICIENTS = {
    **{
        f"{kind.__name__}, real": dataclasses.replace(case, real=True)
        for kind, case in CASES.items()
        if any(True for _ in case.build(C64).parameters())
    },
    "Sequential, mixed": Case(mixed, (3,), lambda d: nn.Linear(1, 1, dtype=d.to_real())),
    "HolomorphicClassifier, mixed": Case(
        lambda d: nn.HolomorphicClassifier(mixed(d)),
        (3,),
        lambda d: nn.HolomorphicClassifier(nn.Linear(1, 1, dtype=d.to_real())),
    ),
}
"""Modules whose coefficients are real, or real in some layers."""

BASES = {nn.DeclaredModule, nn.HolomorphicModule, nn.Readout}
"""Exported to be derived from: they compute nothing, and declare nothing."""

NAMED = {**{kind.__name__: case for kind, case in CASES.items()}, **COEFFICIENTS}
every = each("case", NAMED.values(), ids=NAMED)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_table_holds_every_exported_module():
    exported = (getattr(nn, name) for name in nn.__all__)
    modules = {m for m in exported if isinstance(m, type) and issubclass(m, tnn.Module)}
    assert modules == {*CASES} | BASES
    assert all(type(case.module()) is kind for kind, case in CASES.items())
    for base in BASES:
        with pytest.raises(NotHolomorphicError, match="declares no function_class"):
            base()


@every
@each("dtype", [C64, C128])
def test_a_step_of_an_optimizer_moves_every_parameter(case, dtype):
    module = case.module(dtype)
    z = case.points(dtype=dtype).requires_grad_()
    before = [p.detach().clone() for p in module.parameters()]
    if before:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    loss = (module(z) - 1).abs().square().mean()
    loss.backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert z.grad.any()
    if before:
        optimizer.step()
        for parameter, old in zip(module.parameters(), before, strict=True):
            assert parameter.isfinite().all()
            assert not torch.equal(parameter, old)
        with torch.no_grad():
            assert (module(z) - 1).abs().square().mean() != loss


COMPOSED = ("Sequential", "HolomorphicClassifier", "Product, real", "Residual, real", "Conv1d")
COMPOSED += ("Threshold, real", "FrozenNorm, real", "Conv1d, real", "ConvTranspose2d, real")
COMPOSED += ("Sequential, real", "HolomorphicClassifier, real")
COMPOSED += ("Sequential, mixed", "HolomorphicClassifier, mixed")
SINGLE = {name: case for name, case in NAMED.items() if name not in COMPOSED}
"""Without those that compute what others do, one behind the other or with real coefficients."""


def check_gradients(case, count):
    module, z = case.module(), case.points(count).requires_grad_()
    names = [name for name, _ in module.named_parameters()]

    def call(z, *parameters):
        return functional_call(module, dict(zip(names, parameters, strict=True)), (z,))

    inputs = (z, *(p.detach().requires_grad_() for p in module.parameters()))
    assert torch.autograd.gradcheck(call, inputs, check_forward_ad=True)


@each("case", SINGLE.values(), ids=SINGLE)
def test_gradients_are_right_in_both_modes(case):
    check_gradients(case, 1)


@pytest.mark.slow
@every
def test_gradients_of_batches_and_of_composed_modules_are_right_in_both_modes(case):
    check_gradients(case, 2)


@every
def test_a_state_dict_makes_the_round_trip(case):
    module, other = case.module(), case.blank()
    z = case.points()
    if any(True for _ in module.parameters()):
        assert not torch.equal(other(z), module(z))
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(z), module(z))


@every
def test_one_example_alone_is_a_row_of_the_batch(case):
    module, z = case.module(), case.points()
    batch = module(z)
    torch.testing.assert_close(module(z[:1])[0], batch[0])
    if case.unbatched:
        torch.testing.assert_close(module(z[0]), batch[0])


@every
def test_the_input_is_not_changed(case):
    module, z = case.module(), case.points()
    before, version = z.clone(), z._version
    module(z)
    assert torch.equal(z, before)
    assert z._version == version


@every
def test_sizes_of_one(case):
    one = torch.full((1,) * (1 + len(case.shape)), 0.5 + 0.2j, dtype=C128)
    value = case.blank(what="ones")(one)
    assert value.isfinite().all()
    assert len(value) == 1


@every
def test_an_empty_batch_works_or_is_refused(case):
    module, z = case.module(), case.points()
    try:
        value = module(z[:0])
    except HolonetError as error:
        assert "empty" in str(error)  # noqa: PT017
    else:
        assert value.shape == (0, *module(z).shape[1:])


@every
@each("dtype", [C64, C128])
def test_precision_is_kept(case, dtype):
    module = case.module(dtype)
    if case.real:
        assert all(p.dtype is dtype.to_real() for p in module.parameters())
    value = module(case.points(dtype=dtype))
    exit_to_real = not module.function_class.is_holomorphic
    assert value.dtype is (dtype.to_real() if exit_to_real else dtype)
    double = nn.to_precision(copy.deepcopy(module), C128)
    assert double(case.points()).dtype in (C128, torch.float64)


@every
def test_torchs_conversions_keep_numbers_complex(case):
    module, z = case.module(C64), case.points()
    expected = nn.to_precision(copy.deepcopy(module), C128)(z)
    for convert in (
        lambda m: m.double(),
        lambda m: m.to(torch.float64),
        lambda m: m.type(torch.float64),
        lambda m: m.to(torch.float32).to(z.real),
        lambda m: tnn.Sequential(m).double(),
    ):
        assert torch.equal(convert(copy.deepcopy(module))(z), expected)
    numbers = [*module.parameters(), *module.buffers()]
    before = [t.clone() for t in numbers]
    for convert in (lambda m: m.half(), lambda m: m.to(torch.bfloat16)):
        if not any(t.is_complex() for t in numbers):
            break
        with pytest.raises(InputTypeError, match=r"complex numbers come in .*autocast"):
            convert(module)
    assert same(numbers, before)


@every
def test_a_real_point_is_one_with_imaginary_part_0(case):
    for module in (case.module(), case.module().double()):
        x = case.points().real.clone()
        if isinstance(module, nn.ImagPart | nn.RealPairs):
            with pytest.raises(InputTypeError, match=r"imaginary part is 0|leave it out"):
                module(x)
            return
        value, lifted = module(x), module(x.to(C128))
        torch.testing.assert_close(value.to(lifted.dtype), lifted)
        coefficients = [*module.parameters(), *module.buffers()]
        assert value.is_complex() == (
            module.function_class.is_holomorphic and any(p.is_complex() for p in coefficients)
        )
        parameters = list(module.parameters())
        if parameters:
            slopes = (
                torch.autograd.grad(v.abs().square().sum(), parameters) for v in (value, lifted)
            )
            for ours, theirs in zip(*slopes, strict=True):
                torch.testing.assert_close(ours, theirs)


@every
def test_integers_are_refused_with_the_way_out(case):
    with pytest.raises(InputTypeError, match=r"/ 255|complex numbers apart"):
        case.module(C64)(case.points(dtype=C64).real.long())


@every
def test_real_coefficients_reflect(case):
    """Schwarz: the value at the conjugate is the conjugate of the value."""
    module, z = case.module(), case.points()
    value, reflected = module(z), module(z.conj())
    if any(t.is_complex() for t in (*module.parameters(), *module.buffers())):
        assert not torch.allclose(reflected, value.conj(), atol=1e-3) or not value.is_complex()
    elif isinstance(module, nn.ImagPart):
        torch.testing.assert_close(reflected, -value)
    elif isinstance(module, nn.RealPairs):
        torch.testing.assert_close(torch.complex(*reflected.chunk(2, 1)), z.conj().resolve_conj())
    else:
        torch.testing.assert_close(reflected, value.conj().resolve_conj())


@every
def test_a_deep_copy_is_equal_and_its_own(case):
    module, z = case.module(), case.points()
    twin = copy.deepcopy(module)
    expected = module(z)
    assert torch.equal(twin(z), expected)
    assert twin.function_class is module.function_class
    torch.testing.assert_close(twin.margin(z), module.margin(z))
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(2)
    assert torch.equal(module(z), expected)


@every
def test_the_name_is_shown(case):
    module = case.module()
    assert repr(module).startswith(type(module).__name__ + "(")


@every
def test_train_and_eval_agree(case):
    module, z = case.module(), case.points()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    assert torch.equal(module.train()(z), module.eval()(z))
    assert same(module.state_dict().values(), before.values())


@every
def test_examples_do_not_see_one_another(case):
    module, z = case.module(), case.points()
    other = z.clone()
    other[1:] = case.points(3, seed=9)
    torch.testing.assert_close(module(other)[0], module(z)[0])


@every
def test_the_declaration_is_true(case):
    """Holomorphic modules have no dbar, in train and in eval mode; readouts have one."""
    module, z = case.module(), case.points(20)
    assert isinstance(module.function_class, FunctionClass)
    assert module.domain is None or module.domain == Plane() or (module.margin(z) > 0.05).all()
    assert (module.margin(z) > 0).all()
    v = Probes(0).like(z)
    for mode in (True, False):
        module.train(mode)
        across = dbar_norm_squared(lambda z: module(z).to(z.dtype), z, probes=Probes(0))
        slope = partial_z_along(module, z, v).abs().square().flatten(1).sum(1)
        if module.function_class.is_holomorphic:
            assert (across <= 1e-26 * slope).all()
        else:
            assert (across > 1e-3 * slope).all()


@every
def test_a_pure_affine_declaration_is_true(case):
    module = case.module()
    z, w = case.points(), case.points(seed=2)
    t = 0.4 - 1.3j
    gap = module(t * z + (1 - t) * w) - (t * module(z) + (1 - t) * module(w))
    affine = module.function_class is FunctionClass.AFFINE
    assert bool(gap.abs().max() < 1e-12) == affine


@every
def test_no_random_numbers_are_drawn_in_a_pass(case):
    module, z = case.module(), case.points()
    state = torch.get_rng_state()
    module.train()(z)
    assert torch.equal(torch.get_rng_state(), state)
