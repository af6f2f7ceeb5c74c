"""What is done to a service and to its processes, files, disk and clock."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from api.client import ApiError, ClientError, UnreachableError
from benchmarks.torture import processes
from benchmarks.torture.program import FORGED
from benchmarks.torture.stage import Stage
from benchmarks.torture.testbed import GRACE_S

WATCHDOG_S = 90.0
"""Within so long a hung fork server or supervisor must be dealt with, or /readyz must say so."""
CLOCK_STEPS_S = (-3600.0, -120.0, 120.0, 3 * 3600.0)


def service_killed(stage: Stage) -> bool:
    """Kill -9, and start again at once or a little later."""
    stage.testbed.kill()
    stage.pause(stage.draw.choice((0.0, stage.draw.uniform(0.0, 1.0))))
    stage.testbed.start()
    return True


def service_killed_while_starting(stage: Stage) -> bool:
    """Kill -9, start, kill -9 in the middle of the start, start."""
    stage.testbed.kill()
    stage.testbed.start()
    stage.pause(stage.draw.uniform(0.3, 4.0))
    return service_killed(stage)


def service_stopped(stage: Stage) -> bool:
    """SIGTERM, as a restart by hand."""
    stage.testbed.kill(signal.SIGTERM)
    stage.testbed.start()
    return True


def service_paused(stage: Stage) -> bool:
    """SIGSTOP, and SIGCONT after a while."""
    service = stage.testbed.service
    if service is None:
        return False
    service.send_signal(signal.SIGSTOP)
    stage.pause(stage.draw.uniform(0.2, 2.0))
    service.send_signal(signal.SIGCONT)
    return True


def fork_server_killed(stage: Stage) -> bool:
    """Kill -9."""
    victim = stage.victim(processes.SERVER)
    if victim is not None:
        victim.send(signal.SIGKILL)
    return victim is not None


def supervisor_killed(stage: Stage) -> bool:
    """Kill -9; its attempt is lost, and only that."""
    found = stage.supervisor()
    if found is None:
        return False
    victim, attempt = found
    if attempt is not None:
        stage.ledger.killed.add(attempt)
    victim.send(signal.SIGKILL)
    return True


def worker_killed(stage: Stage) -> bool:
    """Kill -9 of the process that runs a job's program."""
    return _killed(stage, processes.WORKER)


def program_killed(stage: Stage) -> bool:
    """Kill -9 of a job's program."""
    return _killed(stage, processes.PROGRAM)


def _killed(stage: Stage, role: str) -> bool:
    victim = stage.victim(role)
    if victim is None or victim.attempt is None:
        return False
    stage.ledger.killed.add(victim.attempt)
    victim.send(signal.SIGKILL)
    return True


def process_paused(stage: Stage) -> bool:
    """SIGSTOP of any process but the service, and SIGCONT after a while."""
    roles = processes.SERVER, processes.SUPERVISOR, processes.WORKER, processes.PROGRAM
    victim = stage.victim(stage.draw.choice(roles))
    if victim is None:
        return False
    victim.send(signal.SIGSTOP)
    stage.later(stage.draw.uniform(0.2, 3.0), lambda: victim.send(signal.SIGCONT))
    return True


def fork_server_hung(stage: Stage) -> bool:
    """SIGSTOP for good: jobs must start nevertheless, or /readyz must say that they do not."""
    victim = stage.victim(processes.SERVER)
    if victim is None or stage.testbed.until_ready() is None:
        return False
    victim.send(signal.SIGSTOP)
    said: list[int] = []
    try:
        with stage.testbed.client() as client:
            job = stage.probe(client)
            end = time.monotonic() + WATCHDOG_S
            while not job.refresh().attempts or job.attempts[-1].started_at is None:
                said.append(stage.testbed.readyz())
                if time.monotonic() > end:
                    break
                time.sleep(0.25)
            else:
                return True
        if set(said) == {200}:
            text = f"200 for {WATCHDOG_S:g} s in which the stopped fork server started nothing"
            stage.ledger.report("readyz", text)
    except ClientError as error:
        stage.ledger.answers[f"probe: {type(error).__name__}"] += 1
    finally:
        victim.send(signal.SIGCONT)
    return True


def supervisor_hung(stage: Stage) -> bool:
    """SIGSTOP for good: a cancellation must take effect nevertheless."""
    found = stage.supervisor()
    if found is None:
        return False
    victim, attempt = found
    try:
        if attempt is None:
            return False
        stage.ledger.killed.add(attempt)
        number = int(attempt.partition(".")[0])
        if stage.testbed.until_ready() is None:
            return False
        with stage.testbed.client() as client:
            job = client.job(number)
            stage.ledger.asked_to_cancel.add(number)
            job.cancel("torture: its supervisor hangs").wait(GRACE_S + WATCHDOG_S)
    except (ApiError, UnreachableError):
        return True  # it had ended before
    except ClientError:
        text = f"attempt {attempt} hangs: cancelled {GRACE_S + WATCHDOG_S:g} s ago"
        stage.ledger.report("unended", text)
    finally:
        victim.send(signal.SIGCONT)
    return True


def disk_full(stage: Stage) -> bool:
    """Fill the disk of the data folder for a while; /readyz must not promise what is refused."""
    if stage.testbed.no_disk or stage.testbed.until_ready() is None:
        return False
    stage.testbed.fill_disk()
    end = time.monotonic() + stage.draw.uniform(1.0, 4.0)
    try:
        with stage.testbed.client(patience=0.5) as client:
            while time.monotonic() < end:
                before = stage.testbed.readyz()
                try:
                    stage.probe(client)
                except ApiError as error:
                    if before == stage.testbed.readyz() == 200:
                        text = f"200 while a full disk makes submissions fail: {error}"
                        stage.ledger.report("readyz", text)
                        break
                except UnreachableError:
                    pass
                stage.pause(0.3)
        stage.pause(max(0.0, end - time.monotonic()))
    finally:
        stage.testbed.free_disk()
    return True


def clock_stepped(stage: Stage) -> bool:
    """Set the wall clock forward or back."""
    offset = stage.testbed.clock_offset_s + stage.draw.choice(CLOCK_STEPS_S)
    stage.testbed.step_clock(offset)
    return True


def file_damaged(stage: Stage) -> bool:
    """Truncate one of the executor's files of a running attempt, or write something else there."""
    file = _file(stage)
    if file is None:
        return False
    path, attempt = file
    stage.ledger.damaged.add(attempt)
    content = stage.draw.choice((b"", b"{", b"\0" * 64, *map(str.encode, FORGED[path.name])))
    try:
        path.write_bytes(content)
    except OSError:  # it has gone, or no file can be written
        return False
    return True


def folder_removed(stage: Stage) -> bool:
    """Remove the folder of a running attempt, the executor's of it, or the whole of its job."""
    victim = stage.victim(processes.WORKER)
    if victim is None or victim.attempt is None:
        return False
    job, _, number = victim.attempt.partition(".")
    stage.ledger.damaged.add(victim.attempt)
    folder = stage.testbed.data / "jobs" / job
    records = stage.testbed.data.glob(f"run/attempts/{victim.attempt}-*")
    chosen = stage.draw.choice((folder, folder / f"attempt-{number}", *records))
    shutil.rmtree(chosen, ignore_errors=True)
    return True


def _file(stage: Stage) -> tuple[Path, str] | None:
    running = {one.attempt for one in stage.testbed.processes() if one.role == processes.WORKER}
    found = []
    for attempt in running - {None}:
        for path in stage.testbed.data.glob(f"run/attempts/{attempt}-*/*"):
            if path.name in FORGED:
                found.append((path, str(attempt)))
    return stage.draw.choice(sorted(found)) if found else None


FAULTS: Mapping[str, tuple[Callable[[Stage], bool], int]] = {
    "service killed": (service_killed, 8),
    "service killed while starting": (service_killed_while_starting, 3),
    "service stopped": (service_stopped, 2),
    "service paused": (service_paused, 3),
    "fork server killed": (fork_server_killed, 3),
    "fork server hung": (fork_server_hung, 1),
    "supervisor killed": (supervisor_killed, 6),
    "supervisor hung": (supervisor_hung, 1),
    "worker killed": (worker_killed, 4),
    "program killed": (program_killed, 3),
    "process paused": (process_paused, 6),
    "disk full": (disk_full, 2),
    "clock stepped": (clock_stepped, 2),
    "file damaged": (file_damaged, 3),
    "folder removed": (folder_removed, 1),
}
"""Name to what it does (False: there was nothing to do it to), and how often."""
