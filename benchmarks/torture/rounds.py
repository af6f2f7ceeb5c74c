"""Rounds: clients work, blows fall, everything is put right again, and the round is judged."""

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
from benchmarks.torture.blows import BLOWS
from benchmarks.torture.clients import Person, send
from benchmarks.torture.ledger import Figures, Ledger
from benchmarks.torture.program import BEHAVIOURS, lives
from benchmarks.torture.site import Site
from benchmarks.torture.stage import Stage
from scheduler.domain.errors import FulcrumError
from scheduler.domain.events import Event
from scheduler.domain.jobs import Job
from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore

CLIENTS = 4
BLOWS_A_ROUND = (2, 6)
ROUND_S = 6.0
"""Clients work at least so long."""
TRIES = 6
"""Of a blow that finds nothing to fall on."""
PATIENCE_S = 90.0
"""If no job has ended for so long, although all was put right, those left do not end."""
_STRAY_S = 10.0
_RESTARTS = ("service killed", "service killed while starting", "service stopped")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. Round `k` of a seed is the same whichever rounds go before it."""

    seed: int
    first: int = 1
    rounds: int = 10
    without: frozenset[str] = frozenset()
    """Blows and behaviours of jobs to leave out."""
    disk_mib: int = 256


@dataclass(slots=True)
class Torture:
    """A run."""

    plan: Plan
    say: Callable[[str], None]
    """Called with a line after each round."""
    figures: Figures = field(default_factory=Figures)
    _site: Site = field(init=False)
    _seen: int = 0
    """The last event of earlier rounds."""
    _newest: int = 0
    """The last job of earlier rounds."""

    def run(self) -> Figures:
        """All rounds. A site that cannot be put right is given up, and the next round has another.

        Needs about a CPU core; raises nothing that the service does wrong: see `findings`.
        """
        at, end = self.plan.first, self.plan.first + self.plan.rounds
        while at < end:
            with self._new_site():
                while at < end and self._round(at):
                    at += 1
            at += 1
        return self.figures

    @contextmanager
    def _new_site(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="fulcrum-torture-") as name:
            root = Path(name) / "site"
            root.mkdir()
            self._site = Site(root, disk_mib=self.plan.disk_mib)
            self._seen = self._newest = 0
            if self._site.no_disk:
                self.figures.skipped["disk full"] = self._site.no_disk
            try:
                self._site.start()
                yield
            finally:
                self._site.close()

    def _round(self, number: int) -> bool:
        """Whether the site is still good for another one."""
        begun, ledger = time.monotonic(), Ledger(number)
        draw = random.Random(f"{self.plan.seed} {number}")
        stage = Stage(self._site, ledger, draw)
        good = False
        if self._ready(ledger):
            fallen = self._trouble(stage)
            good = self._settle(ledger) and self._judge(ledger)
        else:
            fallen = []
        self.figures.answers.update(ledger.answers)
        self.figures.findings.extend(ledger.findings)
        broken = "".join(f"\n    {found.rule}: {found.text}" for found in ledger.findings)
        self.say(
            f"round {number}: {len(ledger.accepted)} jobs, {', '.join(fallen) or 'no blow'}, "
            f"{time.monotonic() - begun:.0f} s{broken}"
        )
        return good

    def _trouble(self, stage: Stage) -> list[str]:
        """Clients at work under blows; the names of the blows."""
        people = [
            Person(
                self._site,
                stage.ledger,
                number,
                random.Random(f"{self.plan.seed} {stage.ledger.round} {number}"),
                self.plan.without,
            )
            for number in range(CLIENTS)
        ]
        begun = time.monotonic()
        for person in people:
            person.start()
        stage.pause(1.5)
        kinds = {name: often for name, (_, often) in BLOWS.items() if name not in self.plan.without}
        count = stage.draw.randint(*BLOWS_A_ROUND) if kinds else 0
        planned = stage.draw.choices(list(kinds), list(kinds.values()), k=count) if count else []
        fallen = []
        for at, name in enumerate(planned):
            # Of its own: how often a blow draws depends on what it finds.
            stage.draw = random.Random(f"{self.plan.seed} {stage.ledger.round} {name} {at}")
            for _ in range(TRIES):
                if BLOWS[name][0](stage):
                    fallen.append(name)
                    self._recover(stage.ledger, name)
                    break
                stage.pause(0.5)
            stage.pause(stage.draw.uniform(0.0, 1.0))
        stage.finish()
        stage.pause(max(0.0, begun + ROUND_S - time.monotonic()))
        for person in people:
            person.stopping.set()
        for person in people:
            person.join()
            self.figures.behaviours.update(person.submitted)
        self.figures.blows.update(fallen)
        return fallen

    def _recover(self, ledger: Ledger, blow: str) -> None:
        """Until it is ready again; a restart counts from its start."""
        begun = time.monotonic()
        if not self._ready(ledger):
            return
        since = self._site.started_at if blow in _RESTARTS else begun
        self.figures.to_ready[blow].append(time.monotonic() - since)

    def _ready(self, ledger: Ledger) -> bool:
        """Whether the service is ready; one that ended by itself is found, and started again."""
        for _ in range(2):
            if self._site.until_ready() is not None:
                return True
            status = self._site.ended
            said = self._site.last_words()
            if status is None:
                ledger.find("readyz", f"never 200 again; the service's last words: {said}")
                return False
            ledger.find("service", f"it ended with status {status}: {said}")
            self._site.start()
        return False

    def _settle(self, ledger: Ledger) -> bool:
        """Ask again what was not answered, and wait until all jobs have ended."""
        if not self._ready(ledger):
            return False
        try:
            with self._site.client(patience=60.0) as client:
                for submission in ledger.submissions:
                    if not submission.answered:
                        send(client, ledger, submission)
        except ClientError as error:
            ledger.find("service", f"a submission is not answered: {error}")
            return False
        if not (late := self._unended(PATIENCE_S)):
            return self._nothing_left(ledger)
        some = "; ".join(
            f"job {job.id} ({job.spec.name}) is {job.state}: {job.reason}" for job in late[:3]
        )
        text = f"{len(late)} jobs left, none has ended for {PATIENCE_S:g} s, /readyz says "
        ledger.find("unended", f"{text}{self._site.readyz()}: {some}")
        return False

    def _unended(self, patience_s: float) -> list[Job]:
        left, since = 0, time.monotonic()
        with self._store() as store:
            while jobs := store.live()[0]:
                if len(jobs) != left:
                    left, since = len(jobs), time.monotonic()
                if time.monotonic() - since > patience_s:
                    break
                time.sleep(0.1)
        return jobs

    def _nothing_left(self, ledger: Ledger) -> bool:
        """Whether no program of an ended job runs on."""
        end = time.monotonic() + _STRAY_S
        while True:
            left = [one for one in self._site.processes() if one.role == processes.PROGRAM]
            if not left:
                return True
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        for process in left:
            ledger.find("stray", f"process {process.pid} of attempt {process.attempt} runs on")
            process.send(signal.SIGKILL)
        return True

    def _judge(self, ledger: Ledger) -> bool:
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
        done = verdict.Round(
            ledger, jobs, attempts, histories, lives(self._site.beats), self._site.data
        )
        verdict.judge(done, self.figures)
        self._newest = max((job.id for job in jobs), default=self._newest)
        self._site.beats.unlink(missing_ok=True)
        return True

    @contextmanager
    def _store(self) -> Iterator[SqlStore]:
        store = SqlStore(f"sqlite:///{self._site.data}/fulcrum.sqlite")
        try:
            yield store
        finally:
            with suppress(FulcrumError):
                store.close()


def known() -> Sequence[str]:
    """What `Plan.without` may name."""
    return [*BLOWS, *BEHAVIOURS]
