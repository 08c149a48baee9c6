"""Two machines do what one process does, to rounding, and go on after one of them died."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cases import each
from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError, ProcessLostError
from holonet.nn import holomorphic_mlp
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    RobustOptimization,
    Rule,
    Trades,
    TrainConfig,
    read_journal,
)
from holonet.training.checkpoint import load_tensors
from holonet.training.parallel import (
    Processes,
    broadcast,
    from_first,
    is_first_process,
    launch,
    require_equal,
    sum_terms,
    summed_gradients,
)

SCRIPT = Path(__file__).parent / "two_processes.py"
TWO = Processes(torch.device("cpu"), world_size=2)


def run(*command: str, **variables: str) -> subprocess.Popen[str]:
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)} | variables
    return subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two machines have trained."""
    folder = tmp_path_factory.mktemp("two")
    process = run(str(SCRIPT), str(folder))
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return folder


@pytest.mark.parametrize(("name", "steps", "rel"), [("holomorphic", 20, 1e-5), ("real", 21, 1e-12)])
def test_two_machines_train_as_one(
    two: Path, tmp_path: Path, name: str, steps: int, rel: float
) -> None:
    namespace = runpy.run_path(str(SCRIPT))
    namespace["train"](name, tmp_path)
    other_folder = two / "whole/machine-0" / name
    both = [read_journal(folder / "metrics.jsonl") for folder in (tmp_path, other_folder)]
    assert sum(record["kind"] == "step" for record in both[0]) == steps
    for one, other in zip(*both, strict=True):
        assert one.keys() == other.keys()
        assert one["kind"] == other["kind"]
        for key in one.keys() - {"kind", "seconds"}:
            assert other[key] == pytest.approx(one[key], rel=rel), (key, one["step"])
    one, other = (load_tensors(f / "model.safetensors")[0] for f in (tmp_path, other_folder))
    start = namespace["start"](name)[0].state_dict()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=100 * rel, atol=rel)
        assert not torch.allclose(value, start[key], rtol=1e-2)  # it has moved


def test_training_goes_on_after_a_machine_died_to_the_same_weights(two: Path) -> None:
    digests = [
        (two / kind / "machine-0/holomorphic/model.safetensors.sha256").read_text()
        for kind in ("whole", "killed")
    ]
    assert digests[0] == digests[1]
    steps = [
        [r["step"] for r in read_journal(two / kind / "machine-0/holomorphic/metrics.jsonl")]
        for kind in ("whole", "killed")
    ]
    assert steps[0] == steps[1]


def test_the_first_machine_alone_has_a_run_folder(two: Path) -> None:
    assert not list(two.glob("*/machine-1"))


def test_devices_that_do_not_exist_are_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("has CUDA")
    for devices in (1, 2):
        message = f"train.accelerator = 'cuda', train.devices = {devices} cannot be had"
        with pytest.raises(ConfigError, match=message):
            launch(TrainConfig(accelerator="cuda", devices=devices))
    with pytest.raises(ConfigError, match=r"'nccl' .*choose gloo or auto"):
        launch(TrainConfig(accelerator="cpu", devices=2, backend="nccl"))


@each(
    ("variables", "reason"),
    [
        ({}, "without MASTER_ADDR, MASTER_PORT, NODE_RANK in the environment"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}, "without NODE_RANK in"),
        (dict.fromkeys(("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"), "2"), "NODE_RANK=2: machines"),
        (dict.fromkeys(("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"), "x"), "NODE_RANK='x' in the "),
    ],
)
def test_machines_that_cannot_meet_are_refused(variables: dict[str, str], reason: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        with pytest.raises(ConfigError, match=reason):
            launch(TrainConfig(accelerator="cpu", num_nodes=2))


@each(
    ("variables", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "2", "LOCAL_RANK": "0", "NODE_RANK": "0"}, False),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "0"}, True),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "t", "SLURM_PROCID": "3"}, False),
        ({"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "t", "SLURM_PROCID": "0"}, True),
    ],
)
def test_the_first_process_knows_itself(variables: dict[str, str], first: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        assert is_first_process(TrainConfig(devices=2, num_nodes=2)) == first
        assert is_first_process(TrainConfig())


def test_one_process_has_nothing_to_add() -> None:
    processes = launch(TrainConfig(accelerator="cpu"))
    model = nn.Linear(2, 2)
    before = [p.clone() for p in model.parameters()]
    broadcast(processes, model)
    with summed_gradients(processes, model):
        pass
    assert all(p.grad is None for p in model.parameters())
    assert all(map(torch.equal, before, model.parameters()))
    assert sum_terms(processes, {"risk": 0.5}) == {"risk": 0.5}
    assert from_first(processes, "course") == "course"
    require_equal(processes, {})


class Wire:
    """Stands for torch.distributed between two processes; the other one has twice as much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[torch.Tensor] = []
        self.other: Any = {}
        monkeypatch.setattr(torch.distributed, "all_reduce", self.all_reduce)
        monkeypatch.setattr(torch.distributed, "all_gather_object", self.gather)

    def all_reduce(self, message: torch.Tensor, async_op: bool = False) -> "Wire":
        assert async_op
        self.messages.append(message.clone())
        message *= 3
        return self

    def wait(self) -> None:
        pass

    def gather(self, found: list[Any], mine: Any) -> None:
        found[:] = [mine, self.other]


@pytest.fixture
def wire() -> Iterator[Wire]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Wire(monkeypatch)


class Layers(nn.Module):
    """Layers with complex, real, frozen and unused parameters, not in the order of their use."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.last = nn.Linear(3, 1, dtype=dtype)
        self.frozen = nn.Linear(3, 3, dtype=torch.cfloat).requires_grad_(False)
        self.first = nn.Linear(2, 3, dtype=torch.cfloat)
        self.unused = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.frozen(self.first(x)).real.to(self.last.weight.dtype)).sum()


@given(size=st.integers(1, 200), double=st.booleans())
def test_gradients_are_sums_whatever_the_size_of_messages(size: int, double: bool) -> None:
    torch.manual_seed(0)
    model = Layers(torch.float64 if double else torch.float32)
    x = torch.randn(4, 2, dtype=torch.cfloat)
    parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
    alone = torch.autograd.grad(model(x), list(parameters.values()), allow_unused=True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        wire = Wire(monkeypatch)
        with summed_gradients(TWO, model, size):
            model(x).backward()
    for (name, p), gradient in zip(parameters.items(), alone, strict=True):
        expected = torch.zeros_like(p) if gradient is None else 3 * gradient
        assert p.grad is not None
        torch.testing.assert_close(p.grad, expected, msg=name)
    assert all(p.grad is None for p in model.frozen.parameters())
    in_order = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip(parameters.values(), alone, strict=True)
    ]
    real = [torch.view_as_real(g) if g.is_complex() else g for g in reversed(in_order)]
    sent = torch.cat(wire.messages)  # in one order, whatever the backward pass fills first
    torch.testing.assert_close(sent, torch.cat([g.flatten() for g in real]).to(sent.dtype))
    total = sum(p.numel() * p.element_size() for p in parameters.values())
    assert 1 <= len(wire.messages) <= max(1, -(-total // size))


def test_messages_leave_during_the_backward_pass(wire: Wire) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    sent: list[int] = []
    model[0].weight.register_hook(lambda gradient: sent.append(len(wire.messages)))
    with summed_gradients(TWO, model, message=1):
        model(torch.ones(1, 2)).sum().backward()
    assert sent >= [2]  # weight and bias of the last layer
    assert len(wire.messages) == 4


def test_a_process_without_examples_sends_zeros(wire: Wire) -> None:
    model = nn.Linear(2, 1)
    with summed_gradients(TWO, model):
        pass
    assert [m.tolist() for m in wire.messages] == [[0.0, 0.0, 0.0]]
    assert torch.equal(model.weight.grad, torch.zeros(1, 2))


RULES: dict[str, Rule] = {
    "standard": EmpiricalRisk(),
    "forward": AnalyticRule(0.3, "logits", 1, "forward"),
    "reverse": AnalyticRule(0.3, "loss", 1, "reverse"),
    "linearized": LinearizedRobustOptimization(ThreatModel("Linf", 0.1)),
    "pgd": RobustOptimization(ThreatModel("Linf", 0.1), steps=2),
    "trades": Trades(ThreatModel("Linf", 0.1), steps=2),
}


class Loss(nn.Module):
    """A rule's loss as the forward pass of a module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, rule: Rule) -> torch.Tensor:
        x, y = torch.linspace(0, 1, 32).view(4, 8), torch.arange(4) % 3
        terms = rule.terms(self.model, x, y, Probes(3, first=0, total=4))
        return torch.stack(list(terms.values())).sum()


def loss(rule: Rule, model: nn.Module) -> torch.Tensor:
    return Loss(model)(rule)


def small_network() -> nn.Module:
    return holomorphic_mlp(8, [5], 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", RULES)
def test_gradients_of_every_rule_are_summed_once(name: str, wire: Wire) -> None:
    model, other = small_network(), small_network()
    loss(RULES[name], other).backward()
    with summed_gradients(TWO, model, message=1):
        loss(RULES[name], model).backward()
    assert len(wire.messages) == 4
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, 3 * q.grad)


@pytest.fixture(scope="module")
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


Distributed = nn.parallel.DistributedDataParallel


def sharded(model: nn.Module) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    return model


@pytest.mark.usefixtures("one_process")
@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module")
@pytest.mark.parametrize(
    ("make_loss", "passes"),
    [
        (lambda model: Loss(Distributed(model)), {"standard", "pgd", "trades"}),
        (lambda model: Loss(sharded(model)), {"standard", "forward", "pgd", "trades"}),
        (lambda model: Distributed(Loss(model)), set(RULES)),
    ],
    ids=["DistributedDataParallel", "fully_shard", "DistributedDataParallel of the loss"],
)
def test_which_rules_pass_the_wrappers_of_torch(
    make_loss: Callable[[nn.Module], nn.Module], passes: set[str]
) -> None:
    """Why gradients are summed by hooks: see docs/distributed.md. A new torch may do better."""
    passed = set()
    for name, rule in RULES.items():
        wrapped = make_loss(small_network())
        try:
            for _ in range(2):  # the first step of DistributedDataParallel is another one
                wrapped(rule).backward()
        except RuntimeError:
            continue
        passed.add(name)
    assert passed == passes


def test_a_lost_process_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("Connection closed by peer\nat line 3")

    def without_examples() -> None:
        with summed_gradients(TWO, nn.Linear(1, 1)):
            pass

    calls = {
        "all_reduce": without_examples,
        "all_gather_object": lambda: sum_terms(TWO, {}),
        "broadcast": lambda: broadcast(TWO, nn.Linear(1, 1)),
        "broadcast_object_list": lambda: from_first(TWO, 1),
        "barrier": TWO.wait,
    }
    for name, call in calls.items():
        monkeypatch.setattr(torch.distributed, name, broken)
        with pytest.raises(ProcessLostError, match=r"gone .*\(Connection closed by peer\)"):
            call()


def test_terms_are_added_and_one_training_is_one_training(wire: Wire) -> None:
    assert sum_terms(TWO, {"risk": 0.5}) == {"risk": 0.5}
    wire.other = {"risk": 0.25}
    assert sum_terms(TWO, {"risk": 0.5}) == {"risk": 0.75}
    wire.other = {"train": {"lr": 0.2}}
    with pytest.raises(ConfigError, match=r"process 1 of 2 .*\(train.lr: 0.1 and 0.2\)"):
        require_equal(TWO, {"train": {"lr": 0.1}})
    require_equal(TWO, {"train": {"lr": 0.2}})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_torchrun_joins_two_machines(tmp_path: Path) -> None:
    """As docs/distributed.md has it; and both devices of one machine, started by Fabric."""
    options = ["--epochs", "2", "--train-size", "300", "--accelerator", "cpu", "--json"]
    train = ["-m", "holonet", "train", *options, "--log-every", "1"]
    join = ["--nnodes=2", "--master-addr=127.0.0.1", "--master-port=29531"]
    machines = [
        run(
            *["-m", "torch.distributed.run", *join, f"--node-rank={rank}", *train],
            *["--num-nodes", "2", "--backend", "gloo", "--run-dir", str(tmp_path / f"two-{rank}")],
        )
        for rank in range(2)
    ]
    both = run(*train, "--devices", "2", "--backend", "gloo", "--run-dir", str(tmp_path / "both"))
    one = run(*train, "--run-dir", str(tmp_path / "one"))
    for process in (*machines, both, one):
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
    losses = [
        [r["loss"] for r in read_journal(tmp_path / name / "metrics.jsonl") if r["kind"] == "step"]
        for name in ("one", "two-0", "both")
    ]
    assert len(losses[0]) == 10
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] == pytest.approx(losses[0], rel=1e-5)
    assert not (tmp_path / "two-1").exists()
