"""Which backend runs what, the reasons given, and how one is requested."""

import dataclasses
import threading

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import jvp, vmap
from torch.utils.flop_counter import FlopCounterMode

from cases import each
from holonet.errors import UnknownNameError
from holonet.functions import CATALOGUE
from holonet.ops import BACKENDS, dispatch, explain, pointwise, use
from holonet.ops.dispatch import VARIABLE, interpreted, plan, requested, transforms_are_active
from holonet.ops.pointwise import compiled, function

TANH, SQUARE, RECIPROCAL = (CATALOGUE[name] for name in ("tanh", "square", "reciprocal"))
Z = torch.zeros(8, dtype=torch.complex64)


def points(*shape, dtype=torch.complex64):
    return torch.randn(shape, dtype=dtype)


@pytest.fixture(autouse=True)
def _environment_read_again():
    dispatch._from_environment.cache_clear()
    yield
    dispatch._from_environment.cache_clear()


def test_backend_depends_on_dtype_device_and_request():
    assert plan(TANH, points(1024)).backend == "compiled"
    assert plan(TANH, points(1024).real) == ("reference", "no compiled code for torch.float32")
    assert plan(TANH, Z.to("meta")) == ("reference", "no compiled code for the device meta")
    with use("reference"):
        assert plan(TANH, points(1024)) == ("reference", "backend 'reference' was requested")
    with use("compiled"):
        assert plan(TANH, Z).backend == "compiled"
    zero = torch._efficientzerotensor((1024,), dtype=torch.complex64)
    assert plan(TANH, zero) == ("reference", "the numbers do not lie in memory")


@each("requires_grad", [False, True])
@each("record", [TANH, SQUARE, RECIPROCAL], ids=lambda r: r.name)
def test_small_tensors_run_as_torch_code(record, requires_grad):
    smallest = compiled.threshold(record, requires_grad)
    if smallest is None:
        large = points(300_000).requires_grad_(requires_grad)
        assert plan(record, large) == ("reference", "torch code is as fast at any size")
        return
    small = points(smallest - 1).requires_grad_(requires_grad)
    reason = f"{smallest - 1} entries, and compiled code pays from {smallest}"
    assert plan(record, small) == ("reference", reason)
    large = points(smallest).requires_grad_(requires_grad)
    assert plan(record, large).backend == "compiled"
    node = pointwise(record, large).grad_fn
    assert (node is not None) is requires_grad
    if requires_grad:
        assert type(node).__name__ == "_RecordFunctionBackward"


def in_jvp(f, z):
    return jvp(f, (z,), (z,))


def in_vmap(f, z):
    return vmap(f)(z)


def in_forward_mode(f, z):
    with forward_ad.dual_level():
        return f(forward_ad.make_dual(z, z))


def plainly(f, z):
    return f(z)


@pytest.mark.parametrize("rows", [1, 40, 400])
@pytest.mark.parametrize("backend", BACKENDS[:3])
@pytest.mark.parametrize("transform", [plainly, in_jvp, in_vmap, in_forward_mode])
def test_explain_tells_what_runs(transform, backend, rows, monkeypatch):
    """Inside of transforms too: the backend of the operations that are run there."""
    ran, said = set(), set()

    def counting(operation, record, backend, *inputs):
        ran.add(backend)
        return compiled.run(operation, record, backend, *inputs)

    monkeypatch.setattr(function, "run", counting)

    def f(z):
        said.add(explain(TANH, z).split(":")[0])
        return pointwise(TANH, z)

    with use(backend):
        transform(f, points(rows, 64))
    assert said == (ran or {"reference"})


@pytest.mark.parametrize("transform", [in_jvp, in_forward_mode])
def test_transforms_raise_the_threshold(transform):
    reasons = []
    transform(lambda z: reasons.append(explain(TANH, z)) or z, points(4096))
    assert reasons == [f"reference: 4096 entries, and compiled code pays from {1 << 14}"]
    assert plan(TANH, points(4096)).backend == "compiled"


@pytest.mark.parametrize("transform", ["jvp", "vmap", "mode"])
def test_the_first_call_may_stand_inside_a_transform(transform):
    record = dataclasses.replace(TANH, name=f"new in {transform}")
    z = points(4, 50, dtype=torch.complex128)

    def f(z):
        return pointwise(record, z)

    with use("compiled"):
        if transform == "jvp":
            value = jvp(f, (z,), (z,))[0]
        elif transform == "vmap":
            value = vmap(f)(z)
        else:
            with FlopCounterMode(display=False):
                value = f(z)
        torch.testing.assert_close(value, torch.tanh(z))
        assert explain(record, z).startswith("compiled")


def test_records_that_cannot_be_read_run_as_torch_code():
    odd = dataclasses.replace(TANH, value=lambda z: torch.tanh(z.flip(0)).flip(0))
    z = points(3)
    with use("compiled"):
        torch.testing.assert_close(pointwise(odd, z), torch.tanh(z))
        assert "flip" in explain(odd, z)


def test_dispatch_modes_see_torch_operations():
    with FlopCounterMode(display=False), use("compiled"):
        assert "dispatch mode" in explain(TANH, points(3))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_traced_code_is_torch_code():
    reasons = []

    def f(z):
        reasons.append(plan(TANH, z))
        return pointwise(TANH, z)

    traced = torch.jit.trace(f, points(2000), check_trace=False)
    assert reasons[0].backend == "reference"
    assert "torch.jit.trace" in reasons[0].reason
    z = points(3)
    torch.testing.assert_close(traced(z), torch.tanh(z))


def test_without_triton_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setattr(dispatch, "_triton_is_installed", lambda: False)
    with use("fused"):
        assert "pip install 'holonet[triton]'" in explain(TANH, Z)


def test_triton_on_the_cpu_needs_its_interpreter(monkeypatch):
    monkeypatch.setattr(dispatch, "_triton_is_installed", lambda: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with use("fused"):
        assert "TRITON_INTERPRET=1" in explain(TANH, Z)


def test_transforms_are_seen():
    active = []
    vmap(lambda z: active.append(transforms_are_active()) or z)(Z)
    assert active == [True]
    assert not transforms_are_active()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), (None, False)])
def test_the_interpreter_is_known_by_its_variable(value, expected, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    if value is not None:
        monkeypatch.setenv("TRITON_INTERPRET", value)
    assert interpreted() is expected


def test_the_context_manager_wins_over_the_environment(monkeypatch):
    assert requested() == "auto"
    dispatch._from_environment.cache_clear()
    monkeypatch.setenv(VARIABLE, "reference")
    assert requested() == "reference"
    with use("compiled"):
        assert requested() == "compiled"
        with use("auto"):
            assert requested() == "auto"
        assert requested() == "compiled"
    assert requested() == "reference"


def test_a_request_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), use("reference"):
        raise ZeroDivisionError
    assert requested() == "auto"


def test_other_threads_keep_their_backend():
    backends = []
    with use("reference"):
        other = threading.Thread(target=lambda: backends.append(requested()))
        other.start()
        other.join()
    assert backends == ["auto"]


def test_unknown_backends_are_refused(monkeypatch):
    with pytest.raises(UnknownNameError, match="did you mean 'compiled'"), use("compild"):
        pass
    monkeypatch.setenv(VARIABLE, "gpu")
    with pytest.raises(UnknownNameError, match=", ".join(sorted(BACKENDS))):
        requested()
