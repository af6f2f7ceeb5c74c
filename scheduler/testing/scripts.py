"""Tiny works for the tests of executors: no import worth waiting for.

`run` is a worker's target; `spec.work["do"]` names what it does, the other items are its
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
from scheduler.files import append_text, write_text
from scheduler.ownership import fences


def preload() -> None:
    """Nothing to import."""


def setting_preload() -> None:
    """As libraries do that set variables for themselves."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/tmp/of-the-server"


def broken_preload() -> None:
    """As if a library were missing."""
    raise ImportError("no module named 'torch'")


def run(spec: LaunchSpec) -> Outcome:
    """Do what the spec names."""
    return _WORKS[str(spec.work["do"])](spec)


def _exit(spec: LaunchSpec) -> Outcome:
    """Print, leave a result, end with `code`."""
    print(spec.work.get("say", "hello"))
    return Outcome(int(spec.work.get("code", 0)), spec.work.get("result", {}))


def _sleep(spec: LaunchSpec) -> Outcome:
    """For `seconds`; long by default."""
    time.sleep(float(spec.work.get("seconds", 600)))
    return Outcome(0)


def _gate(spec: LaunchSpec) -> Outcome:
    """Until the file `gate` appears in the job's folder; counts its runs in `runs`."""
    with (spec.shared / "runs").open("a") as runs:
        runs.write(f"{os.getpid()}\n")
    while not (spec.shared / "gate").exists():
        time.sleep(0.01)
    return Outcome(0)


def _write(spec: LaunchSpec) -> Outcome:
    """Adds its attempt to `writes` in the job's folder again and again, while it is the newest."""
    while True:
        fences.check(spec.shared, spec.attempt, spec.nonce)
        append_text(spec.shared / "writes", f"{spec.attempt}\n")
        time.sleep(0.02)


def _count(spec: LaunchSpec) -> Outcome:
    """Adds its attempt to a checkpoint, leaves it as an artifact, and waits for its own `gate`."""
    kept = spec.shared / "checkpoints" / "attempts"
    append_text(kept, f"{spec.attempt}\n")
    write_text(spec.shared / "artifacts" / "result" / "attempts", kept.read_text())
    print("counted", flush=True)
    while not (spec.folder / "gate").exists():
        time.sleep(0.01)
    print("ended", flush=True)
    return Outcome(0)


def _linger(spec: LaunchSpec) -> Outcome:
    """Done at once, but its process stays until the file `gate` appears."""
    threading.Thread(target=_gate, args=(spec,)).start()
    return Outcome(0, {"answer": 42})


def _stubborn(spec: LaunchSpec) -> Outcome:
    """Ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _breed(spec)


def _polite(spec: LaunchSpec) -> Outcome:
    """Ends well on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit(0))
    return _breed(spec)


def _breed(spec: LaunchSpec) -> Outcome:
    """Leaves a daemon in a session of its own and a child program, writes their pids, sleeps."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        if not os.fork():
            os.setsid()
            daemon = os.fork()
            if daemon:
                write_text(spec.shared / "children", f"{daemon} {child.pid}", durable=False)
                os._exit(0)
            time.sleep(600)
            os._exit(0)
        if spec.work.get("leave"):
            while not (spec.shared / "children").exists():
                time.sleep(0.01)
            os._exit(0)
        time.sleep(600)
    return Outcome(0)


def _hoard(spec: LaunchSpec) -> Outcome:
    """Takes `bytes` of memory, in a child of its own."""
    if not os.fork():
        hoard = bytearray(int(spec.work["bytes"]))
        hoard[::4096] = b"x" * len(hoard[::4096])
        time.sleep(600)
    return _sleep(spec)


def _die(spec: LaunchSpec) -> Outcome:
    """By signal `signum`."""
    os.kill(os.getpid(), int(spec.work["signum"]))
    return _sleep(spec)


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
    "write": _write,
    "count": _count,
    "stubborn": _stubborn,
    "polite": _polite,
    "breed": _breed,
    "hoard": _hoard,
    "die": _die,
    "raise": _raise,
    "look": _look,
}
