"""Runs a command of Ray; one that is stopped or hangs leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from scheduler.domain.errors import InputError, StateError
from scheduler.executors.local.system import process

_RAY = (sys.executable, "-m", "ray.scripts.scripts")
_PATIENCE_S = 120.0
_HEAD_PATIENCE_S = 30.0
"""A head answers within seconds; Ray itself waits longer for one that does not."""
_TOKEN_WORDS = ("auth token", "authentication token", "unauthenticated", "invalidauthtoken")
"""One of these is in what Ray says about a wrong token, in lower case."""
_STOPS = (signal.SIGTERM, signal.SIGHUP)


def check_installed() -> None:
    """Raises `InputError` if Ray is not installed."""
    if find_spec("ray") is None:
        raise InputError(
            "Ray is not installed",
            {"executor.kind": "local, or pip install 'fulcrum-scheduler[ray]' on all machines"},
        )


def check_head(address: str, variables: Mapping[str, str]) -> None:
    """Raises `InputError` unless a head of Ray answers there, and takes this token."""
    try:
        run(("health-check", f"--address={address}"), variables, patience_s=_HEAD_PATIENCE_S)
    except StateError:
        raise InputError(
            f"what answers at {address} is no head of Ray",
            {"address": "HOST:PORT of the head, as `fulcrum serve --ray` says it"},
        ) from None


def run(
    arguments: Sequence[str], variables: Mapping[str, str], patience_s: float = _PATIENCE_S
) -> None:
    """Run `ray` with these arguments, and these variables besides this process's own.

    Raises `InputError` without Ray or with a wrong token, `StateError` with Ray's own words for
    any other failure and if the command does not end within `patience_s` seconds.
    """
    check_installed()
    with _stoppable():
        started = subprocess.Popen(
            [*_RAY, *arguments],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Else Ctrl-C in the service's terminal would end Ray with it.
            start_new_session=True,
        )
        try:
            said, _ = started.communicate(timeout=patience_s)
        except BaseException as error:
            _end_session(started)
            if isinstance(error, subprocess.TimeoutExpired):
                text = f"ray {arguments[0]} does not end"
                raise StateError(text, {"ray": "an address that answers"}) from None
            raise
        if started.returncode:
            _end_session(started)
            raise _failure(arguments[0], said, started.returncode)


def _failure(command: str, said: str, code: int) -> InputError | StateError:
    if any(words in said.casefold() for words in _TOKEN_WORDS):
        return InputError(
            "the cluster has another token",
            {"token": "a copy of the file ray/token in the data folder of this cluster's service"},
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return StateError(
        f"ray {command} failed: {lines[-1] if lines else code}",
        {"ray": "a free port, and the same version of Ray on all machines"},
    )


def _end_session(leader: subprocess.Popen[str]) -> None:
    """Kill what the command has started, and itself."""
    while pids := [
        stat.pid for stat in process.everything() if stat.session == leader.pid and not stat.dead
    ]:
        process.kill(pids)  # what one of them has begun meanwhile is found at the next look
    leader.wait()


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the signals that end a process raise meanwhile, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: Any) -> None:
    raise SystemExit(128 + number)
