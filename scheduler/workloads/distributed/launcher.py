"""The processes of one part: started together, watched, ended together.

The attempt's worker starts one process per rank of its part and does no work itself, like
torchrun's agent. So it notices at once when one of them is killed, can end those that wait for a
process that is gone, and says which rank failed first.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from torch.distributed import DistError

from scheduler.executors.base import LaunchSpec, Outcome
from scheduler.workloads.distributed import rendezvous
from scheduler.workloads.distributed.membership import TURN_S, Failure, Membership
from scheduler.workloads.distributed.ranks import CONSEQUENCE, Rank
from scheduler.workloads.distributed.rendezvous import RendezvousError
from scheduler.workloads.stop_signal import Stopped, StopSignal, held

DOUBT_S = 3.0
"""How long a rank that lost the others waits for the reason of one of them."""
STOP_S = 30.0
"""How long the ranks have to end once one of them has stopped; all have saved by then."""
FAREWELL_S = 2.0
"""How long a part that failed lets the others hear of it."""
RankWork = Callable[[LaunchSpec, Rank], Outcome]
"""What each process does."""


def launch(spec: LaunchSpec, ranks: Sequence[Rank], work: RankWork) -> Outcome:
    """Do the `work` of the spec's part in one process per rank; returns when all have ended.

    The result is that of rank 0, or names the rank that failed first in any part.
    """
    stop = StopSignal()
    with held():
        processes = [RankProcess.start(spec, rank, work) for rank in ranks]
        try:
            with stop.listening():
                meet = rendezvous.join if spec.rank else rendezvous.host
                _, store = meet(spec)
                stop.postponed = True
                firsts = [sum(ranks[0].parts[:part]) for part in range(len(spec.parts))]
                nodes = [part.node for part in spec.parts]
                member = Membership(store, spec.rank, firsts, nodes)
                return PartProcesses(processes, member, stop).run()
        except Stopped as stopped:
            return Outcome(stopped.code, {"error": f"stopped by {stopped}"})
        except (OSError, DistError, RendezvousError) as error:
            return Outcome(1, {"error": str(error)})
        finally:
            for process in processes:
                process.kill()
                process.close()


@dataclass(slots=True)
class RankProcess:
    """One rank's process, leader of a process group of its own."""

    rank: Rank
    pid: int
    handle: int
    """Readable when the process has ended."""
    said: int
    """A file in memory that gets its outcome."""
    outcome: Outcome | None = None
    """How it ended; None while it runs."""

    @classmethod
    def start(cls, spec: LaunchSpec, rank: Rank, work: RankWork) -> RankProcess:
        """Fork it. This process must have no further threads."""
        said = os.memfd_create(f"outcome-{rank.index}")
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _become(spec, rank, work, said)
        with suppress(OSError):  # the child does it too, whoever is first
            os.setpgid(pid, pid)
        return cls(rank, pid, os.pidfd_open(pid), said)

    def reap(self) -> None:
        """Take its outcome, if it has ended."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            name = signal.Signals(-code).name
            doubt = " (perhaps out of memory)" if -code == signal.SIGKILL else ""
            self.outcome = Outcome(128 - code, {"error": f"signal {name}{doubt}"})
            return
        try:
            with os.fdopen(os.dup(self.said), "rb") as file:
                file.seek(0)
                self.outcome = Outcome(**json.loads(file.read()))
        except (ValueError, TypeError):  # it ended without a word
            self.outcome = Outcome(code or 1, {"error": f"exit code {code}"})

    def ask_to_stop(self) -> None:
        """SIGTERM to its process group, as the supervisor of the attempt does it."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill its process group, unless it has ended, and wait for it."""
        if self.outcome is None:
            self._send(signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.outcome = Outcome(128 + signal.SIGKILL)

    def close(self) -> None:
        """Give back what it took; it has ended."""
        os.close(self.handle)
        os.close(self.said)

    def _send(self, signum: int) -> None:
        if self.outcome is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signum)


class PartProcesses:
    """The processes of this part, and what is known of the other parts."""

    def __init__(
        self, processes: Sequence[RankProcess], member: Membership, stop: StopSignal
    ) -> None:
        self._processes = processes
        self._member = member
        self._stop = stop
        self._asked = False
        """Whether the processes were asked to stop."""
        self._doubt_until: float | None = None
        self._end_at: float | None = None

    def run(self) -> Outcome:
        """Until all processes have ended, or have to."""
        outcome = self._watch()
        for process in self._processes:
            process.kill()
        self._member.leave(FAREWELL_S if outcome.code else None)
        return outcome

    def _watch(self) -> Outcome:
        while True:
            self._wait()
            failed = self._report()
            if not self._running and not failed:
                assert self._first.outcome is not None
                return self._first.outcome
            failure = self._member.failure
            if failure is None:
                if self._stop.received:
                    self._ask_to_stop()
                continue
            if not failure.stopped and not self._asked:
                return self._failed(failure)
            self._ask_to_stop()
            self._end_at = self._end_at or time.monotonic() + STOP_S
            if not self._running or time.monotonic() >= self._end_at:
                return self._stopped(failure)

    @property
    def _first(self) -> RankProcess:
        return self._processes[0]

    @property
    def _running(self) -> list[RankProcess]:
        return [process for process in self._processes if process.outcome is None]

    def _wait(self) -> None:
        running = self._running
        select.select([process.handle for process in running], [], [], TURN_S)
        for process in running:
            process.reap()

    def _report(self) -> bool:
        """Whether a process failed; then all parts hear of it, once its reason is clear."""
        failed = [
            Failure(process.rank.index, process.outcome.code, process.outcome.result)
            for process in self._processes
            if process.outcome is not None and process.outcome.code
        ]
        if not failed:
            return False
        own = next((one for one in failed if not one.result.get(CONSEQUENCE)), None)
        if own is not None:
            plain = own.final or own.stopped
            self._member.report(own if plain else self._member.named(own))
            return True
        now = time.monotonic()
        self._doubt_until = self._doubt_until or now + DOUBT_S
        if now >= self._doubt_until:
            lost = self._member.silent(DOUBT_S / 2)
            self._member.report(lost or self._member.named(failed[0]))
        return True

    def _failed(self, failure: Failure) -> Outcome:
        """The attempt ends for the reason that one of the ranks gave."""
        if failure.rank not in [process.rank.index for process in self._processes]:
            with suppress(OSError):
                print(failure.result.get("error"), flush=True)
        return Outcome(failure.code, {**failure.result, "rank": failure.rank})

    def _ask_to_stop(self) -> None:
        if not self._asked:
            self._asked = True
            for process in self._running:
                process.ask_to_stop()

    def _stopped(self, failure: Failure) -> Outcome:
        """What the first process says of its stop; its connections may have broken before."""
        for process in self._processes:
            outcome = process.outcome
            if outcome is not None and Failure(0, outcome.code).stopped:
                return outcome
        code = failure.code if failure.stopped else 128 + signal.SIGTERM
        return Outcome(code, {"error": f"stopped by {signal.Signals(code - 128).name}"})


def _become(spec: LaunchSpec, rank: Rank, work: RankWork, said: int) -> NoReturn:
    code = 1
    try:
        os.setpgid(0, 0)
        if rank.local:
            _open_log(spec, rank)
        outcome = work(spec, rank)
        code = outcome.code
        os.write(said, json.dumps({"code": code, "result": dict(outcome.result)}).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code & 0xFF)


def _open_log(spec: LaunchSpec, rank: Rank) -> None:
    """Further processes of a part have a log of their own beside that of the first."""
    folder = spec.part_folder / f"local-{rank.local}"
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
