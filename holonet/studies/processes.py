"""Cells at work: here, or several at a time in processes of one thread each."""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from holonet.errors import ConfigError, HolonetError
from holonet.studies.study import Cell

__all__ = ["Entry", "Work", "work_off"]

Entry = dict[str, Any]
"""What the file of a finished cell holds."""

Work = Callable[[Cell, Callable[[float], None]], Entry]
"""Computes a cell; its second argument is called with the fraction that is done."""


def work_off(
    work: Work,
    cells: Sequence[Cell],
    processes: int,
    on_progress: Callable[[str, float], None],
) -> Iterator[tuple[Cell, Entry | HolonetError]]:
    """Compute cells, each after those of the others that it needs.

    Torch and the BLAS of numpy and scipy have one thread at work on a cell, here as well, so that
    results do not depend on the number of processes.

    Args:
        work: for several processes it can be pickled.
        cells: those not done yet; what a cell needs, and is not among them, is done.
        processes: how many at once; with 1 the work is done in this process.
        on_progress: called with the key of a cell and the fraction that is done.

    Yields:
        Each cell with its entry or the HolonetError that it failed with, as they end. A cell that
        needs one that failed, fails, unless enough of them did not.

    Raises:
        ConfigError: the work cannot be handed to a process.
        HolonetError: a process ended without an answer.
        Exception: any other that the work raises.
    """
    unfinished = {cell.key for cell in cells}
    waiting, failed = list(cells), set[str]()
    count = min(processes, len(cells))
    pool = _Here(work, on_progress) if count <= 1 else _Processes(work, count, on_progress)
    with closing(pool), _one_thread():
        while unfinished:
            for cell in list(waiting):
                lost = [need for need in cell.needs if need in failed]
                left = tuple(need for need in cell.needs if need not in failed)
                if lost and (cell.enough is None or len(left) < cell.enough):
                    waiting.remove(cell)
                    unfinished.remove(cell.key)
                    failed.add(cell.key)
                    yield cell, HolonetError(f"it needs {', '.join(lost)}, which failed")
                elif pool.has_room and unfinished.isdisjoint(cell.needs):
                    waiting.remove(cell)
                    pool.begin(replace(cell, needs=left))
            if pool.is_busy:
                cell, answer = pool.next()
                unfinished.remove(cell.key)
                failed |= {cell.key} if isinstance(answer, HolonetError) else set()
                yield cell, answer


class _Here:
    """One cell after the other, in this process."""

    def __init__(self, work: Work, on_progress: Callable[[str, float], None]) -> None:
        self._work, self._on_progress = work, on_progress
        self._begun: list[Cell] = []

    @property
    def has_room(self) -> bool:
        return not self._begun

    @property
    def is_busy(self) -> bool:
        return bool(self._begun)

    def begin(self, cell: Cell) -> None:
        self._begun.append(cell)

    def next(self) -> tuple[Cell, Entry | HolonetError]:
        cell = self._begun.pop()
        try:
            return cell, self._work(cell, lambda done: self._on_progress(cell.key, done))
        except HolonetError as error:
            return cell, error

    def close(self) -> None:
        pass


class _Processes:
    """Processes that compute one cell each, and end with this one."""

    def __init__(self, work: Work, count: int, on_progress: Callable[[str, float], None]) -> None:
        try:
            content = pickle.dumps(work)
        except Exception as error:
            raise ConfigError(
                f"this study cannot be handed to other processes ({error}): define its class at "
                "the top of a module, or run it with processes=1"
            ) from None
        self._on_progress = on_progress
        self._busy: dict[Connection, Cell] = {}
        self._idle: list[Connection] = []
        self._processes: list[Any] = []
        context = multiprocessing.get_context("spawn")
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there,))
            process.start()
            there.close()  # so that the death of the process ends the pipe
            self._processes.append(process)
            self._idle.append(here)
        for connection in self._idle:
            with _ends_in_words("the start"):
                connection.send_bytes(content)

    @property
    def has_room(self) -> bool:
        return bool(self._idle)

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    def begin(self, cell: Cell) -> None:
        connection = self._idle.pop()
        with _ends_in_words(cell.key):
            connection.send(cell)
        self._busy[connection] = cell

    def next(self) -> tuple[Cell, Entry | HolonetError]:
        while True:
            for connection in wait(list(self._busy)):
                assert isinstance(connection, Connection)  # noqa: S101
                cell = self._busy[connection]
                with _ends_in_words(cell.key):
                    kind, content = connection.recv()
                if kind == "progress":
                    self._on_progress(cell.key, content)
                elif kind == "raised":
                    raise content
                else:
                    del self._busy[connection]
                    self._idle.append(connection)
                    return cell, content

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
        for connection in [*self._idle, *self._busy]:
            connection.close()


@contextmanager
def _ends_in_words(what: str) -> Iterator[None]:
    """Say that a process ended, where its pipe is closed."""
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise HolonetError(
            f"a process ended without an answer, at {what}: if memory is short, use fewer "
            "processes; in a script, put the call under `if __name__ == '__main__':`. What was "
            "finished is kept"
        ) from None


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # scipy's own BLAS, which its first use loads: loaded later, it would not be limited
        import scipy.linalg  # noqa: F401

        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


def _serve(connection: Connection) -> None:  # pragma: no cover (another process)
    """What a process does: receive the work, then a cell and answer, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _one_thread():
        _answer(connection)


def _answer(connection: Connection) -> None:  # pragma: no cover (another process)
    work: Work | None = None
    while True:
        try:
            if work is None:
                work = pickle.loads(connection.recv_bytes())
                continue
            cell = connection.recv()
            entry = work(cell, lambda done: connection.send(("progress", done)))
            connection.send(("done", entry))
        except EOFError:
            return
        except HolonetError as error:
            connection.send(("failed", _portable(error)))
        except Exception as error:
            error.add_note(traceback.format_exc())
            connection.send(("raised", _portable(error)))


def _end_with_parent() -> None:  # pragma: no cover (another process)
    """End this process when the one that started it has ended, however that was."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _portable(error: Exception) -> Exception:  # pragma: no cover (another process)
    """The error, or one of a general kind with its message where it cannot be pickled."""
    try:
        if str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    except Exception:  # of any kind: its class decides
        pass
    kind = HolonetError if isinstance(error, HolonetError) else RuntimeError
    return kind(f"{type(error).__name__}: {error}")
