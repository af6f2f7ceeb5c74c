"""Processes that share the work of many simulations."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, Generic, Self, TypeVar

import agents.registry.resolve  # noqa: F401 - so that policies are found
from scheduler.domain.errors import OutageError

Bench = TypeVar("Bench")
Task = TypeVar("Task")
Result = TypeVar("Result")

PREFIX = "FULCRUM_"
"""Of environment variables that are settings."""
_AHEAD = 2
"""Tasks given out for each process: it has the next one as it ends one."""


class ProcessPool(Generic[Bench]):
    """Does tasks at a bench, in this process or in several, each with a copy of the bench.

    What comes of a task must hang on nothing but the bench as it was given and the task: then it
    does not matter how many processes there are. They begin with the first task and end with the
    `with` block, or with this process, whatever ends it.
    """

    def __init__(self, bench: Bench, workers: int = 1) -> None:
        """`workers` processes; 1: all in this one."""
        self.bench = bench
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """Raises `OutageError` in place of what tells that a worker's process is gone."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if isinstance(error, BrokenProcessPool):
            raise OutageError(
                "a worker process died (killed, or out of memory)", {"workers": "fewer of them"}
            ) from error

    def map(self, do: Callable[[Bench, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of `do(bench, task)`, in the order of the tasks.

        Tasks are drawn little by little and may be endless. Whoever stops listening ends it. `do`
        is a function of a module, or a method of the bench's class. Raises what it raises.
        """
        if self._workers == 1:
            yield from (do(self.bench, task) for task in tasks)
            return
        pool, waiting = self._begun(), iter(tasks)
        given_out: deque[Future[Result]] = deque()
        try:
            while True:
                for task in waiting:
                    given_out.append(pool.submit(_done, do, task))
                    if len(given_out) >= _AHEAD * self._workers:
                        break
                if not given_out:
                    return
                yield given_out.popleft().result()
        finally:
            for future in given_out:
                future.cancel()

    def begin(self, do: Callable[[Bench, Task], Result], task: Task) -> Future[Result] | None:
        """Let another process do one task meanwhile; None if there is no other."""
        return None if self._workers == 1 else self._begun().submit(_done, do, task)

    def _begun(self) -> ProcessPoolExecutor:
        if self._pool is None:
            given = (settings(), self.bench)
            forked = context(type(self.bench).__module__)
            self._pool = ProcessPoolExecutor(self._workers, forked, _begin, given)
        return self._pool


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context(module: str) -> multiprocessing.context.BaseContext:
    """Processes forked from one that has the module imported, where there is such a thing.

    What one program began first holds for all that it begins later.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def settings() -> dict[str, str]:
    """Of the environment, for `begin`."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def begin(settings: Mapping[str, str]) -> None:
    """What a process of `context` does first."""
    # Processes inherit from the one they are forked from, which may be older than these.
    os.environ.update(settings)
    # Ctrl-C ends a worker at once and without a traceback; the parent tells what happened.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """One that was killed cannot tell its workers, and they would wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_BENCH: list[Any] = []
"""Of a worker process."""


def _begin(settings: Mapping[str, str], bench: object) -> None:
    begin(settings)
    _BENCH[:] = [bench]


def _done(do: Callable[[Any, Task], Result], task: Task) -> Result:
    return do(_BENCH[0], task)
