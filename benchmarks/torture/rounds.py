"""Rounds: clients work, faults happen, everything is put right again, and the round is judged."""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from api.client import ClientError
from benchmarks.torture import processes, verdict
from benchmarks.torture.clients import ClientThread, send
from benchmarks.torture.faults import FAULTS
from benchmarks.torture.ledger import RoundLedger, Totals
from benchmarks.torture.program import BEHAVIOURS, heartbeats
from benchmarks.torture.stage import Stage
from benchmarks.torture.testbed import Testbed
from scheduler.domain.errors import FulcrumError
from scheduler.domain.events import Event
from scheduler.domain.jobs import Job
from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore

CLIENTS = 4
FAULTS_A_ROUND = (2, 6)
ROUND_S = 6.0
"""Clients work at least so long."""
TRIES = 6
"""A fault that finds no victim is tried so often."""
PATIENCE_S = 90.0
"""If no job has ended for so long, although all was put right, those left do not end. A fork
server that is still starting is waited for."""
_MOST_PATIENCE_S = 1800.0
_STRAY_S = 10.0
_RESTARTS = ("service killed", "service killed while starting", "service stopped")


@dataclass(frozen=True, slots=True)
class TorturePlan:
    """What to do. Round `k` of a seed is the same whichever rounds go before it."""

    seed: int
    first: int = 1
    rounds: int = 10
    without: frozenset[str] = frozenset()
    """Faults and behaviours of jobs to leave out."""
    disk_mib: int = 256


@dataclass(slots=True)
class Torture:
    """One run: its testbed and its totals."""

    plan: TorturePlan
    say: Callable[[str], None]
    """Called with a line after each round."""
    totals: Totals = field(default_factory=Totals)
    _testbed: Testbed = field(init=False)
    _seen: int = 0
    """The last event of earlier rounds."""
    _newest: int = 0
    """The last job of earlier rounds."""

    def run(self) -> Totals:
        """Play all rounds; a testbed that cannot be put right is replaced by another.

        Needs about a CPU core; raises nothing that the service does wrong: see `violations`.
        """
        at, end = self.plan.first, self.plan.first + self.plan.rounds
        while at < end:
            with self._new_testbed():
                while at < end and self._round(at):
                    at += 1
            at += 1
        return self.totals

    @contextmanager
    def _new_testbed(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="fulcrum-torture-") as name:
            root = Path(name) / "testbed"
            root.mkdir()
            self._testbed = Testbed(root, disk_mib=self.plan.disk_mib)
            self._seen = self._newest = 0
            if self._testbed.no_disk:
                self.totals.skipped["disk full"] = self._testbed.no_disk
            try:
                self._testbed.start()
                yield
            finally:
                self._testbed.close()

    def _round(self, number: int) -> bool:
        """Whether the testbed is still good for another one."""
        begun, ledger = time.monotonic(), RoundLedger(number)
        draw = random.Random(f"{self.plan.seed} {number}")
        stage = Stage(self._testbed, ledger, draw)
        good = False
        if self._ready(ledger):
            injected = self._trouble(stage)
            good = self._settle(ledger) and self._judge(ledger)
        else:
            injected = []
        self.totals.answers.update(ledger.answers)
        self.totals.violations.extend(ledger.violations)
        broken = "".join(f"\n    {found.rule}: {found.text}" for found in ledger.violations)
        self.say(
            f"round {number}: {len(ledger.accepted)} jobs, {', '.join(injected) or 'no fault'}, "
            f"{time.monotonic() - begun:.0f} s{broken}"
        )
        return good

    def _trouble(self, stage: Stage) -> list[str]:
        """Let clients work while faults happen; returns the names of the faults."""
        threads = [
            ClientThread(
                self._testbed,
                stage.ledger,
                number,
                random.Random(f"{self.plan.seed} {stage.ledger.round} {number}"),
                self.plan.without,
            )
            for number in range(CLIENTS)
        ]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        stage.pause(1.5)
        kinds = {
            name: often for name, (_, often) in FAULTS.items() if name not in self.plan.without
        }
        count = stage.draw.randint(*FAULTS_A_ROUND) if kinds else 0
        planned = stage.draw.choices(list(kinds), list(kinds.values()), k=count) if count else []
        injected = []
        for at, name in enumerate(planned):
            # Its own generator: how often a fault draws depends on what it finds.
            stage.draw = random.Random(f"{self.plan.seed} {stage.ledger.round} {name} {at}")
            for _ in range(TRIES):
                if FAULTS[name][0](stage):
                    injected.append(name)
                    self._recover(stage.ledger, name)
                    break
                stage.pause(0.5)
            stage.pause(stage.draw.uniform(0.0, 1.0))
        stage.finish()
        stage.pause(max(0.0, begun + ROUND_S - time.monotonic()))
        for thread in threads:
            thread.stopping.set()
        for thread in threads:
            thread.join()
            self.totals.behaviours.update(thread.submitted)
        self.totals.faults.update(injected)
        return injected

    def _recover(self, ledger: RoundLedger, fault: str) -> None:
        """Wait until it is ready again; a restart counts from its start."""
        begun = time.monotonic()
        if not self._ready(ledger):
            return
        since = self._testbed.started_at if fault in _RESTARTS else begun
        self.totals.to_ready[fault].append(time.monotonic() - since)

    def _ready(self, ledger: RoundLedger) -> bool:
        """Whether the service is ready; one that ended by itself is found, and started again."""
        for _ in range(2):
            if self._testbed.until_ready() is not None:
                return True
            status = self._testbed.ended
            said = self._testbed.last_words()
            if status is None:
                ledger.report("readyz", f"never 200 again; the service's last words: {said}")
                return False
            ledger.report("service", f"it ended with status {status}: {said}")
            self._testbed.start()
        return False

    def _settle(self, ledger: RoundLedger) -> bool:
        """Ask again what was not answered, and wait until all jobs have ended."""
        if not self._ready(ledger):
            return False
        try:
            with self._testbed.client(patience=60.0) as client:
                for submission in ledger.submissions:
                    if not submission.answered:
                        send(client, ledger, submission)
        except ClientError as error:
            ledger.report("service", f"a submission is not answered: {error}")
            return False
        if not (late := self._unended(PATIENCE_S)):
            return self._nothing_left(ledger)
        some = "; ".join(
            f"job {job.id} ({job.spec.name}) is {job.state}: {job.reason}" for job in late[:3]
        )
        text = f"{len(late)} jobs left, none has ended for {PATIENCE_S:g} s, /readyz says "
        ledger.report("unended", f"{text}{self._testbed.readyz()}: {some}")
        return False

    def _unended(self, patience_s: float) -> list[Job]:
        begun = since = time.monotonic()
        seen = (0, 0)
        with self._store() as store:
            while jobs := store.live()[0]:
                progress = len(jobs), self._testbed.fork_server_ticks()
                if progress != seen:
                    seen, since = progress, time.monotonic()
                if time.monotonic() - since > patience_s:
                    break
                if time.monotonic() - begun > _MOST_PATIENCE_S:
                    break
                time.sleep(0.2)
        return jobs

    def _nothing_left(self, ledger: RoundLedger) -> bool:
        """Whether no program of an ended job runs on."""
        end = time.monotonic() + _STRAY_S
        while True:
            left = [one for one in self._testbed.processes() if one.role == processes.PROGRAM]
            if not left:
                return True
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        for process in left:
            ledger.report("stray", f"process {process.pid} of attempt {process.attempt} runs on")
            process.send(signal.SIGKILL)
        return True

    def _judge(self, ledger: RoundLedger) -> bool:
        with self._store() as store:
            jobs = [
                job
                for job in reversed(store.jobs(JobQuery(), limit=100_000))
                if job.id > self._newest
            ]
            histories: dict[int, list[Event]] = {job.id: [] for job in jobs}
            while page := store.events(after=self._seen):
                for event in page:
                    histories.setdefault(event.job, []).append(event)
                self._seen = page[-1].seq
            attempts = {job.id: store.attempts(job.id) for job in jobs}
        done = verdict.RoundRecord(
            ledger, jobs, attempts, histories, heartbeats(self._testbed.beats), self._testbed.data
        )
        verdict.judge(done, self.totals)
        self._newest = max((job.id for job in jobs), default=self._newest)
        self._testbed.beats.unlink(missing_ok=True)
        return True

    @contextmanager
    def _store(self) -> Iterator[SqlStore]:
        store = SqlStore(f"sqlite:///{self._testbed.data}/fulcrum.sqlite")
        try:
            yield store
        finally:
            with suppress(FulcrumError):
                store.close()


def known() -> Sequence[str]:
    """What `TorturePlan.without` may name."""
    return [*FAULTS, *BEHAVIOURS]
