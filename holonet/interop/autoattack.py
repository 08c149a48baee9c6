"""AutoAttack, the attack of record, by pyautoattack in a process of its own.

The process is there because AutoAttack's check for dynamic defenses ends every trace function of
the process that it runs in (debuggers, coverage), and because it seeds torch's global stream.
"""

import contextlib
import importlib.metadata
import logging
import multiprocessing
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._optional import require
from holonet._types import GivenClasses, GivenPoints
from holonet.attacks import Alarm, AlarmKind, AttackResult, ThreatModel
from holonet.attacks.alarms import warn_about
from holonet.attacks.image_box import image_box
from holonet.attacks.objectives import Model, logits_of
from holonet.errors import ConfigError, HolonetError, InputTypeError
from holonet.interop.layout import ImageLayout
from holonet.interop.toolkits import accept
from holonet.nn.modes import evaluating

__all__ = ["AutoAttackResult", "Version", "autoattack", "require_autoattack"]

Version = Literal["standard", "plus", "rand"]

# what the line that AutoAttack logs says -> the alarm
_SIGNS = {
    "randomized": AlarmKind.HEURISTIC,
    "probability": AlarmKind.FLAT_LOSS,
    "zero gradient": AlarmKind.ZERO_GRADIENT,
    "Square": AlarmKind.BLACK_BOX_WINS,
    "dynamic": AlarmKind.HEURISTIC,
}


@dataclass(frozen=True)
class AutoAttackResult(AttackResult):
    """What AutoAttack found, its own log, and what ran.

    Args:
        log: the lines that it logged, batch after batch.
        provenance: version, seed, targets and the versions of the packages.
    """

    log: tuple[str, ...] = ()
    provenance: Mapping[str, Any] | None = None


@checked
def autoattack(
    model: Model,
    x: GivenPoints,
    y: GivenClasses,
    threat: ThreatModel,
    *,
    version: Version = "standard",
    seed: int = 0,
    batch_size: int = 250,
    threads: int | None = None,
    on_batch: Callable[[AutoAttackResult], None] | None = None,
) -> AutoAttackResult:
    """Croce and Hein's parameter-free ensemble: APGD-CE, targeted APGD, targeted FAB, Square.

    Its points are moved into the threat set where rounding left them outside, and judged by a
    forward pass of the model. Its log lines of warning (random, probabilities for logits, zero
    gradients, dynamic, Square better than the rest) become alarms. For fewer than 10 classes the
    targets are all other classes.

    Flat examples, and images that are too small for its Square, are laid out as a square image
    with pixels at the end that the model never sees.

    Args:
        model: real inputs to real logits of at least 4 classes. It is handed to the process by
            pickle: its class must be importable there.
        x, y: examples in [0, 1] and labels.
        threat: "Linf", "L2" or "L1" on the box [0, 1].
        version: "standard", of record; "plus"; "rand" for random models.
        seed: of the attacks.
        batch_size: examples attacked at once.
        threads: of torch in the process; None means as many as here.
        on_batch: called with the result of each batch as soon as it is there, to show or keep it.

    Law: x_adv is in the threat set; the margin is that of x_adv and at most the clean one. A
        withstanding example comes back as it was.

    Raises:
        ConfigError: another norm or box, below 4 classes, or a batch size or threads below 1.
        InputTypeError: the model cannot be pickled.
        MissingDependencyError: pyautoattack is not installed.
        HolonetError: the process failed; the message is its own.

    References:
        Croce and Hein (2020); Croce and Hein (2021) for L1.
    """
    require_autoattack()
    if not len(x):
        return AutoAttackResult(x.detach().clone(), x.new_zeros(0))
    _require_attackable(model, x, y, threat)
    if batch_size < 1 or not (threads is None or threads >= 1):
        raise ConfigError(
            f"autoattack(batch_size={batch_size}, threads={threads}): at least 1 each"
        )
    x = x.detach()
    settings = {
        "norm": threat.norm,
        "version": version,
        "seed": seed,
        "threads": torch.get_num_threads() if threads is None else threads,
    }
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    boxes = [image_box(model, part, threat) for part, _ in batches]
    problems = [
        (model, *batch, threat) if box is None else (box.body, box.centers, batch[1], box.cube)
        for box, batch in zip(boxes, batches, strict=True)
    ]
    parts: list[AutoAttackResult] = []
    with _started(problems, settings) as answers:
        for box, problem in zip(boxes, problems, strict=True):
            points, log, provenance = _next(answers)
            judged = accept(*problem, torch.from_numpy(points).to(problem[1]), "AutoAttack")
            part = AutoAttackResult(
                judged.x_adv,
                judged.margin,
                (*judged.alarms, *_alarms(log, len(points))),
                log=tuple(line for _, line in log),
                provenance=provenance,
            )
            parts.append(part if box is None else box.accept(part, problem[2]))
            if on_batch is not None:
                on_batch(parts[-1])
    result = _joined(parts)
    warn_about(result.alarms)
    return result


@checked
def require_autoattack() -> None:
    """Refuse to begin what will need AutoAttack where it is not installed.

    Raises:
        MissingDependencyError: pyautoattack is not installed.
    """
    require("pyautoattack", "pyautoattack", "attacks", "AutoAttack")


def _require_attackable(model: Model, x: Tensor, y: Tensor, threat: ThreatModel) -> None:
    if threat.norm not in ("Linf", "L2", "L1") or threat.bounds != (0.0, 1.0):
        raise ConfigError(
            f"autoattack under {threat}: AutoAttack knows Linf, L2 and L1 on the box [0, 1]; scale "
            "the data to it, inside of the model as well, or take attacks.STRONG"
        )
    with evaluating(model), torch.no_grad():
        classes = logits_of(model, x[:1], y[:1]).shape[1]
    if classes < 4:
        raise ConfigError(
            f"autoattack of a model with {classes} classes: its targeted DLR loss needs 4; take "
            "attacks.STRONG"
        )


def _alarms(log: list[tuple[int, str]], examples: int) -> tuple[Alarm, ...]:
    """One alarm for each different warning, about all examples if it does not say how many.

    It says so in points, or in percent of the examples.
    """
    alarms = []
    for line in dict.fromkeys(line for level, line in log if level >= logging.WARNING):
        kind = next((kind for sign, kind in _SIGNS.items() if sign in line), AlarmKind.HEURISTIC)
        number = re.search(r"there are (\d+) points", line)
        share = re.search(r"accuracy of ([\d.]+)%", line)
        if number is not None:
            count = int(number[1])
        else:
            count = examples if share is None else max(1, round(float(share[1]) * examples / 100))
        alarms.append(Alarm(kind, count, examples, f"AutoAttack says: {line}"))
    return tuple(alarms)


def _joined(parts: list[AutoAttackResult]) -> AutoAttackResult:
    return AutoAttackResult(
        torch.cat([part.x_adv for part in parts]),
        torch.cat([part.margin for part in parts]),
        tuple(alarm for part in parts for alarm in part.alarms),
        parts[0].searched_in,
        tuple(line for part in parts for line in part.log),
        parts[0].provenance,
    )


@contextlib.contextmanager
def _started(problems: list[Any], settings: dict[str, Any]) -> Any:
    """The process at work, and the end of the pipe where its answers come out."""
    try:  # by plain pickle: torch's own way would move the caller's weights to shared memory
        work = pickle.dumps((problems, settings))
    except Exception as error:
        raise InputTypeError(
            f"the model {type(problems[0][0]).__name__} cannot be handed to AutoAttack's process "
            f"({error}): define its class at the top of a module, without lambdas or hooks in it"
        ) from None
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        there.close()  # so that the death of the process ends the pipe
        # not as an argument of the process: start() would wait for ever for one that died early
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            here.send_bytes(work)
        yield here
    finally:
        here.close()
        process.terminate()
        process.join()


def _next(answers: Any) -> Any:
    """What the process answers next."""
    try:
        kind, answer = answers.recv()
    except (EOFError, ConnectionResetError):
        raise HolonetError(
            "AutoAttack's process ended without an answer. If this is a script, put what it does "
            "under `if __name__ == '__main__':`, as every spawned process needs; if memory is "
            "short, take a smaller batch_size"
        ) from None
    if kind == "error":
        raise HolonetError(f"AutoAttack failed: {answer}")
    return answer


def _serve(answers: Any) -> None:  # pragma: no cover (another process)
    """What the process does: attack batch after batch and answer each."""
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        try:
            # what the process that started this one sends
            problems, settings = pickle.loads(answers.recv_bytes())
            torch.set_num_threads(settings["threads"])
            for model, x, y, threat in problems:
                answers.send(("batch", _attack(model, x, y, threat.eps, settings)))
        except Exception as error:
            answers.send(("error", f"{type(error).__name__}: {error}"))


def _attack(
    model: Model, x: Tensor, y: Tensor, eps: float, settings: dict[str, Any]
) -> tuple[Any, list[tuple[int, str]], dict[str, Any]]:  # pragma: no cover (another process)
    """Points as an array, the log, and what ran."""
    import pyautoattack

    log: list[tuple[int, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: log.append((record.levelno, record.getMessage()))
    logger = logging.getLogger("auto-attack")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)
    layout = ImageLayout(model, x).requires_grad_(False)  # a copy; only inputs have gradients
    with evaluating(model):
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
        attack = pyautoattack.AutoAttack(
            layout.eval(),
            norm=settings["norm"],
            eps=eps,
            version=settings["version"],
            seed=settings["seed"],
            device=x.device,
        )
        targets = min(attack.apgd_targeted.n_target_classes, classes - 1)
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = targets
        points, _ = attack.run_standard_evaluation(layout.spread(x), y.long(), batch_size=len(x))
    provenance = {
        "version": settings["version"],
        "seed": settings["seed"],
        "targets": targets,
        "attacks": list(attack.attacks_to_run or ()),
        "pyautoattack": importlib.metadata.version("pyautoattack"),
        "torch": str(torch.__version__),
    }
    return layout.gather(points).cpu().numpy(), log, provenance
