"""What clients asked and were promised, what was done to the service, what was found wrong."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was not kept."""

    round: int
    rule: str
    """One of `RULES`."""
    text: str


RULES: Mapping[str, str] = {
    "lost": "a submission that was answered is in the store",
    "doubled": "a submission makes its jobs once, an attempt runs once",
    "unended": "every job ends",
    "history": "every history is legal and ends once",
    "overlap": "two attempts of a job never run at the same time",
    "device": "a device has one attempt at a time",
    "untrue": "a job succeeds only if its program did",
    "blamed": "an attempt fails or is lost only if something of it failed or was killed",
    "redone": "work with a complete result is not done twice",
    "preempted": "only jobs that can go on are preempted",
    "forgotten": "an answered cancellation or update holds, and nothing is cancelled unasked",
    "stray": "nothing of an ended attempt runs on",
    "duration": "run times are real ones, whatever the clock does",
    "readyz": "/readyz says 200 only while jobs are accepted and started",
    "service": "the service starts, stays up and answers without 5xx other than 503",
}
"""Rule to what it says."""


@dataclass(slots=True)
class KeyedRequest:
    """One request; asked again with the same key until it is answered."""

    key: str
    bodies: list[dict[str, Any]]
    answered: bool = False


@dataclass(slots=True)
class RoundLedger:
    """What happened in one round; clients write from their threads."""

    round: int
    submissions: list[KeyedRequest] = field(default_factory=list)
    accepted: dict[int, str] = field(default_factory=dict)
    """Job to its name; repetitions included."""
    retries: Counter[str] = field(default_factory=Counter)
    """Name to how often it was asked to be repeated."""
    cancelled: set[int] = field(default_factory=set)
    """Jobs whose cancellation was answered."""
    asked_to_cancel: set[int] = field(default_factory=set)
    """… or at least asked for."""
    priorities: dict[int, int] = field(default_factory=dict)
    """Job to the priority of its last answered update."""
    killed: set[str] = field(default_factory=set)
    """Attempts of which a process was killed, or stopped for good."""
    damaged: set[str] = field(default_factory=set)
    """Attempts whose files were damaged from outside."""
    answers: Counter[str] = field(default_factory=Counter)
    """What clients were answered: a kind of answer to how often."""
    violations: list[Violation] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, rule: str, text: str) -> None:
        """Note a broken promise."""
        assert rule in RULES, rule
        with self.lock:
            self.violations.append(Violation(self.round, rule, text))

    def accept(self, submission: KeyedRequest, jobs: list[tuple[int, str]]) -> None:
        """Note the answer to a submission; a second answer must be the same."""
        with self.lock:
            submission.answered = True
            self.accepted.update(jobs)

    @property
    def names(self) -> Mapping[str, bool]:
        """Every name that was submitted: whether that was answered."""
        return {str(body["name"]): one.answered for one in self.submissions for body in one.bodies}


@dataclass(slots=True)
class Totals:
    """Figures of the whole run."""

    jobs: int = 0
    attempts: int = 0
    events: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """How jobs ended."""
    losses: int = 0
    """Attempts that were lost."""
    preemptions: int = 0
    redone: int = 0
    """Work that was complete for its program, but whose result was not, and was done again."""
    behaviours: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    to_ready: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Fault to seconds until /readyz said 200 again."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Fault to why it was left out."""
    violations: list[Violation] = field(default_factory=list)
