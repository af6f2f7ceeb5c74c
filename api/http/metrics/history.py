"""What the event log alone tells: jobs by state, events, waits, runs, failures by reason."""

from __future__ import annotations

from collections import Counter

from api.http.metrics.buckets import CumulativeBuckets
from scheduler.domain.events import Event
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.store.base import Store

PAGE = 1000
MOST_PAGES = 20
"""Read in one scrape; a longer history is caught up with over several."""
FAILURES = (
    "out-of-memory",
    "time-limit",
    "could-not-start",
    "lost",
    "exit-code",
    "other",
)
"""Classes of reasons for which an attempt failed."""
_ENDS = {
    EventName.SUCCEEDED: "succeeded",
    EventName.FAILED: "failed",
    EventName.RETRIED: "failed",
    EventName.LOST: "lost",
    EventName.PREEMPTED: "preempted",
    EventName.CANCELLED: "cancelled",
}
OUTCOMES = tuple(dict.fromkeys(_ENDS.values()))
"""How an attempt may end."""


def failure_class(event: Event) -> str:
    """One of `FAILURES`, of an event that ends an attempt without success."""
    reason = event.reason.lower()
    if event.name is EventName.LOST:
        return "lost"
    for text, name in (
        ("out of memory", "out-of-memory"),
        ("time limit", "time-limit"),
        ("could not start", "could-not-start"),
        ("exit code", "exit-code"),
    ):
        if text in reason:
            return name
    return "other"


class EventHistory:
    """Reads each event of the store once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = 0
        self._submitted: dict[int, float] = {}
        """Of jobs that have not started yet."""
        self._started: dict[int, float] = {}
        """Of attempts that run, by job."""
        self.states: Counter[JobState] = Counter()
        self.events: Counter[EventName] = Counter()
        self.failures: Counter[str] = Counter()
        self.waits = CumulativeBuckets()
        """Seconds from the submission to the first start."""
        self.runs = {outcome: CumulativeBuckets() for outcome in OUTCOMES}
        """Seconds of attempts that have started, by how they ended."""

    def catch_up(self) -> None:
        """Read what happened since the last time."""
        for _ in range(MOST_PAGES):
            page = self._store.events(after=self._seen, limit=PAGE)
            for event in page:
                self._take(event)
                self._seen = event.seq
            if len(page) < PAGE:
                return

    def _take(self, event: Event) -> None:
        if event.before is not None:
            self.states[event.before] -= 1
        self.states[event.after] += 1
        self.events[event.name] += 1
        if event.name is EventName.SUBMITTED:
            self._submitted[event.job] = event.time
        elif event.name is EventName.STARTED:
            submitted_at = self._submitted.pop(event.job, None)
            if submitted_at is not None:
                self.waits.add(max(0.0, event.time - submitted_at))
            self._started[event.job] = event.time
        elif event.name in _ENDS:
            started_at = self._started.pop(event.job, None)
            if started_at is not None:
                self.runs[_ENDS[event.name]].add(max(0.0, event.time - started_at))
            if event.name in (EventName.FAILED, EventName.RETRIED, EventName.LOST):
                self.failures[failure_class(event)] += 1
        if event.after.final:
            self._submitted.pop(event.job, None)
