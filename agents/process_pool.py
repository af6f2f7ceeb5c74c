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

Context = TypeVar("Context")
Task = TypeVar("Task")
Result = TypeVar("Result")

PREFIX = "FULCRUM_"
"""Prefix of environment variables that are settings."""
_AHEAD = 2
"""Tasks handed to each process: the next one waits while it does one."""


class ProcessPool(Generic[Context]):
    """Does tasks in this process or in several, each with a copy of the context.

    A task's result depends only on the context and the task, so that the number of processes does
    not matter. Processes start with the first task. They end with the `with` block, or with this
    process, even if it is killed.
    """

    def __init__(self, context: Context, workers: int = 1) -> None:
        """`workers` processes; 1: all in this one."""
        self.context = context
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @property
    def workers(self) -> int:
        """Number of processes that share the work."""
        return self._workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """End the processes. Raises `OutageError` if one of them has died."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if isinstance(error, BrokenProcessPool):
            raise OutageError(
                "a worker process died (killed, or out of memory)", {"workers": "fewer of them"}
            ) from error

    def map(self, do: Callable[[Context, Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of `do(context, task)`, in the order of the tasks.

        Tasks are drawn little by little and may be endless: closing the iterator ends them. `do` is
        a function of a module, or a method of the context's class. Raises what it raises.
        """
        if self._workers == 1:
            yield from (do(self.context, task) for task in tasks)
            return
        pool, waiting = self._begun(), iter(tasks)
        handed_out: deque[Future[Result]] = deque()
        try:
            while True:
                for task in waiting:
                    handed_out.append(pool.submit(_done, do, task))
                    if len(handed_out) >= _AHEAD * self._workers:
                        break
                if not handed_out:
                    return
                yield handed_out.popleft().result()
        finally:
            for future in handed_out:
                future.cancel()

    def begin(self, do: Callable[[Context, Task], Result], task: Task) -> Future[Result] | None:
        """Let another process do one task meanwhile; None if there is no other process."""
        return None if self._workers == 1 else self._begun().submit(_done, do, task)

    def _begun(self) -> ProcessPoolExecutor:
        if self._pool is None:
            given = (settings(), self.context)
            start = context(type(self.context).__module__)
            self._pool = ProcessPoolExecutor(self._workers, start, _begin, given)
        return self._pool


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context(module: str) -> multiprocessing.context.BaseContext:
    """Processes that are forked from one that has imported the module, where the system can.

    The first module of a program holds for all its processes.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def settings() -> dict[str, str]:
    """The settings in the environment, for `begin`."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def begin(settings: Mapping[str, str]) -> None:
    """Prepare a process of `context`; it calls this first."""
    # Processes inherit the environment of the one they are forked from, which may be older.
    os.environ.update(settings)
    # Ctrl-C ends a worker at once and without a traceback; the parent reports it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit with the parent: one that was killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_CONTEXT: list[Any] = []
"""The context of this process, if it is a worker."""


def _begin(settings: Mapping[str, str], context: object) -> None:
    begin(settings)
    _CONTEXT[:] = [context]


def _done(do: Callable[[Any, Task], Result], task: Task) -> Result:
    return do(_CONTEXT[0], task)
