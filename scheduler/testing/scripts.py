"""Tiny works for the tests of executors: no import worth waiting for.

`run` is a worker's target; `order.work["do"]` names what it does, the other items are its
parameters.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from scheduler.executors.base import LaunchSpec, Outcome
from scheduler.files import write_text


def preload() -> None:
    """Nothing to import."""


def setting_preload() -> None:
    """As libraries do that set variables for themselves."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/tmp/of-the-server"


def broken_preload() -> None:
    """As if a library were missing."""
    raise ImportError("no module named 'torch'")


def run(order: LaunchSpec) -> Outcome:
    """Do what the order names."""
    return _WORKS[str(order.work["do"])](order)


def _exit(order: LaunchSpec) -> Outcome:
    """Print, leave a result, end with `code`."""
    print(order.work.get("say", "hello"))
    return Outcome(int(order.work.get("code", 0)), order.work.get("result", {}))


def _sleep(order: LaunchSpec) -> Outcome:
    """For `seconds`; long by default."""
    time.sleep(float(order.work.get("seconds", 600)))
    return Outcome(0)


def _gate(order: LaunchSpec) -> Outcome:
    """Until the file `gate` appears in the job's folder; counts its runs in `runs`."""
    with (order.shared / "runs").open("a") as runs:
        runs.write(f"{os.getpid()}\n")
    while not (order.shared / "gate").exists():
        time.sleep(0.01)
    return Outcome(0)


def _linger(order: LaunchSpec) -> Outcome:
    """Done at once, but its process stays until the file `gate` appears."""
    threading.Thread(target=_gate, args=(order,)).start()
    return Outcome(0, {"answer": 42})


def _stubborn(order: LaunchSpec) -> Outcome:
    """Ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _breed(order)


def _polite(order: LaunchSpec) -> Outcome:
    """Ends well on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit(0))
    return _breed(order)


def _breed(order: LaunchSpec) -> Outcome:
    """Leaves a daemon in a session of its own and a child program, writes their pids, sleeps."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        if not os.fork():
            os.setsid()
            daemon = os.fork()
            if daemon:
                write_text(order.shared / "children", f"{daemon} {child.pid}", durable=False)
                os._exit(0)
            time.sleep(600)
            os._exit(0)
        if order.work.get("leave"):
            while not (order.shared / "children").exists():
                time.sleep(0.01)
            os._exit(0)
        time.sleep(600)
    return Outcome(0)


def _hoard(order: LaunchSpec) -> Outcome:
    """Takes `bytes` of memory, in a child of its own."""
    if not os.fork():
        hoard = bytearray(int(order.work["bytes"]))
        hoard[::4096] = b"x" * len(hoard[::4096])
        time.sleep(600)
    return _sleep(order)


def _die(order: LaunchSpec) -> Outcome:
    """By signal `signum`."""
    os.kill(os.getpid(), int(order.work["signum"]))
    return _sleep(order)


def _raise(_order: LaunchSpec) -> Outcome:
    """An exception nobody catches."""
    raise RuntimeError("on purpose")


def _look(_order: LaunchSpec) -> Outcome:
    """Its result tells its surroundings."""
    seen = {
        "affinity": sorted(os.sched_getaffinity(0)),
        "env": dict(os.environ),
        "cwd": str(Path.cwd()),
        "name": Path("/proc/self/comm").read_text().strip(),
        "leader": os.getsid(0) == os.getpgid(0) == os.getpid(),
        "files": sorted(str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in _open_files()),
    }
    return Outcome(0, seen)


def _open_files() -> list[int]:
    found = []
    for fd in range(256):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.append(fd)
    return found


_WORKS: Mapping[str, Callable[[LaunchSpec], Outcome]] = {
    "exit": _exit,
    "sleep": _sleep,
    "gate": _gate,
    "linger": _linger,
    "stubborn": _stubborn,
    "polite": _polite,
    "breed": _breed,
    "hoard": _hoard,
    "die": _die,
    "raise": _raise,
    "look": _look,
}
