"""A real service process for the crash tests: python driver.py DATA [options].

It is `bootstrap.build` with an executor whose fork server imports nothing heavy. It says `ready`
and then does what its options ask for, until it is killed or told to stop.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from scheduler import bootstrap
from scheduler.clock import SystemClock
from scheduler.domain.errors import StateError
from scheduler.domain.lifecycle import JobState
from scheduler.executors.base import LaunchSpec
from scheduler.executors.local import LocalExecutor
from scheduler.node import executor as node_executor
from scheduler.service.holder import ServiceHolder
from scheduler.service.service import Service
from scheduler.settings import load
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.samples import job_spec

DEVICES = 6
REFUSED = 3
"""Exit code: another service holds the folder."""
DEPOSED = 4
"""Exit code: another service leads in its place."""
SCRIPT = """
echo "$FULCRUM_JOB.$FULCRUM_ATTEMPT" >> "$ROOT/starts"
while ! [ -e "$ROOT/gate" -o -e "$ROOT/gate-$FULCRUM_JOB" ]; do sleep 0.05; done
echo "$FULCRUM_JOB.$FULCRUM_ATTEMPT" >> "$ROOT/ends"
"""


class Light(LocalExecutor):
    """Runs command jobs; dies in its `dies`-th launch, before or after it has taken the spec.

    With `dies_preempting` it dies so in its first preemption. `last` is how it dies: SIGSTOP lets
    it go on where it was, once somebody continues it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        spares: int,
        dies: int,
        taken: bool,
        dies_preempting: bool,
        last: signal.Signals,
    ) -> None:
        super().__init__(
            folder,
            preload="scheduler.testing.scripts:preload",
            target="scheduler.workloads.run:run",
            light="scheduler.workloads.run:preload_for_commands",
            spares=spares,
            linger_s=1.0,
            sweep_s=0.2,
        )
        self._dies = dies
        self._taken = taken
        self._dies_preempting = dies_preempting
        self._last = last

    def launch(self, spec: LaunchSpec) -> None:
        self._dies -= 1
        if self._dies == 0 and not self._taken:
            os.kill(os.getpid(), self._last)
        super().launch(spec)
        if self._dies == 0 and self._taken:
            os.kill(os.getpid(), self._last)

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        if self._dies_preempting and not self._taken:
            os.kill(os.getpid(), signal.SIGKILL)
        super().preempt(attempt, grace_s=grace_s)
        if self._dies_preempting:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--database", help="URL; default: SQLite in DATA")
    parser.add_argument("--jobs", type=int, default=0, help="submit so many")
    parser.add_argument("--flood", action="store_true", help="submit without end, from 4 threads")
    parser.add_argument("--dies", type=int, default=0, help="at which launch")
    parser.add_argument("--taken", action="store_true", help="… once the spec has been taken")
    parser.add_argument("--stops", action="store_true", help="… and may be continued")
    parser.add_argument("--standby", action="store_true", help="follow the leader, or lead")
    parser.add_argument("--preempt", action="store_true", help="job 1, and die meanwhile")
    options = parser.parse_args()

    def executor(folder: Path, *, spares: int, **_: Any) -> Any:
        if options.flood:
            return FakeExecutor(SystemClock())  # type: ignore[arg-type]
        return Light(
            folder,
            spares=spares,
            dies=options.dies,
            taken=options.taken,
            dies_preempting=options.preempt,
            last=signal.SIGSTOP if options.stops else signal.SIGKILL,
        )

    node_executor.LocalExecutor = executor  # type: ignore[assignment, misc]
    pools = {"cpu": {"devices": DEVICES, "memory": 0}}
    given = {
        "data_dir": options.data,
        "pools": pools,
        "policy": "priority",
        "database_url": options.database,
    }
    try:
        settings = load(overrides=given)
        services = (
            bootstrap.standby(settings)
            if options.standby
            else ServiceHolder(bootstrap.build(settings))
        )
    except StateError as error:
        print(error.message, file=sys.stderr)
        return REFUSED
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    services.start()
    services.when_deposed(lambda _: os._exit(DEPOSED))
    service = services.current
    root = str(options.data.parent)
    work = {"argv": ["sh", "-c", SCRIPT], "env": {"ROOT": root}, "resumable": True}
    if options.jobs:
        service.jobs.submit([job_spec(work=work)] * options.jobs, actor="ann")
    print("ready", flush=True)
    if options.preempt:
        with service.live_jobs.changed:
            service.live_jobs.changed.wait_for(lambda: service.job(1).state is JobState.RUNNING)
        starts = options.data.parent / "starts"
        while not (starts.exists() and "1.1" in starts.read_text().split()):
            time.sleep(0.05)  # until the work itself has begun
        service.jobs.preempt(1, actor="ann")
    if options.flood:
        for client in range(4):
            threading.Thread(target=flood, args=(service, client), daemon=True).start()
    stopping.wait()
    services.stop()
    return 0


def flood(service: Service, client: int) -> None:
    """Says what it is about to ask, and what it was answered."""
    for at in itertools.count():
        key = f"{client}-{at}"
        say(f"asks {key}")
        spec = job_spec(name=key)
        (first, second), _ = service.jobs.submit([spec, spec], actor="ann", key=key, digest=key)
        say(f"has {key} {first.id} {second.id}")


def say(line: str) -> None:
    """Whole lines, whatever other threads say; what was written outlives this process."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
