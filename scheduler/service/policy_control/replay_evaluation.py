"""Replays that compare two policies on this cluster, and the port to the simulator that runs them.

Where a replay shows no difference, the policy with the lower mean decides, and no claim is made.
The service simulates nothing itself: its caller may give it a `Replay`. A replay runs beside the
service, which decides meanwhile as it was told to.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Protocol, Self

from scheduler.clock import Clock
from scheduler.domain.errors import FulcrumError, InputError, StateError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

PAST_S = 7 * 86_400.0
"""How far back jobs are replayed."""
_JOIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Question:
    """Two policies, the cluster, and the period whose jobs are replayed."""

    nominee: str
    """The candidate."""
    rival: str
    """The baseline."""
    pools: tuple[Pool, ...]
    mode: str
    """The mode of a policy that was not made for one."""
    preference: float
    """The preference of the objective, and of jobs that name none."""
    starvation_s: float | None
    """The guard's bound on waiting; None: no bound."""
    since: float
    """Unix seconds: jobs submitted from then on …"""
    until: float
    """… and before this."""
    least_jobs: int = 50
    """With fewer jobs that ended well a synthetic workload is taken."""
    jobs: int = 200
    """The jobs of a synthetic workload."""
    windows: int = 8
    """Workloads on which the two are compared, if there are enough jobs for distinct ones."""
    limit_s: float = 300.0
    """Real seconds after which no further workload is begun."""

    def json(self) -> dict[str, Any]:
        """All fields, for another process."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `json`."""
        pools = tuple(
            Pool(**{**pool, "kind": DeviceKind(pool["kind"])}) for pool in values["pools"]
        )
        return cls(**{**values, "pools": pools})


@dataclass(frozen=True, slots=True)
class ReplayVerdict:
    """How the two policies did on the same workloads."""

    source: str
    """`history` or `synthetic`."""
    about: str
    """What was replayed, for a person."""
    windows: int
    """Workloads that both were simulated on."""
    jobs: int
    """Jobs in all of them."""
    nominee: float
    """The candidate's mean objective per job; less is better."""
    rival: float
    """The baseline's."""
    difference: float
    """(nominee - rival) ÷ rival, of the means; below 0: the candidate is better."""
    low: float | None
    """95 % interval of the difference, resampled over the workloads; None: too few."""
    high: float | None
    median: float
    """Median of the workloads' differences, each ÷ the baseline's objective."""
    won: int
    """Workloads on which the candidate is better."""
    lost: int
    """Workloads on which it is worse."""
    shown: bool
    """Whether a difference is shown: the interval excludes 0, on enough distinct workloads."""
    utilisation: float
    """Share of the device time that was of use, under the baseline, as are the figures below."""
    queue_mean: float
    """Jobs waiting, mean over time."""
    queue_max: float
    """The most that waited in any of the workloads."""
    waiting: float
    """Share of the latency that is waiting."""
    seconds: float
    """Real time it took."""
    nominee_latency_s: float | None = None
    """Mean time from submission to end of a job under the candidate; this and the next three are
    None in verdicts that older services stored."""
    nominee_dollars: float | None = None
    """Mean cost of a job under the candidate."""
    rival_latency_s: float | None = None
    """The same under the baseline."""
    rival_dollars: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From the JSON of another process, or of the store; raises `InputError`."""
        known = [each for each in fields(cls) if each.name in values or each.default is MISSING]
        try:
            return cls(**{each.name: values[each.name] for each in known})
        except (KeyError, TypeError) as error:
            legal = ", ".join(each.name for each in fields(cls))
            raise InputError(
                f"invalid verdict: {error}", {"verdict": f"an object with {legal}"}
            ) from error


class Replay(Protocol):
    """Answers questions, one at a time."""

    def concerns(self, policy: str) -> bool:
        """Whether a policy of that name must be replayed before it decides for good."""

    def run(self, question: Question) -> ReplayVerdict:
        """Simulate; takes minutes. Raises `OutageError` if it fails or was cancelled."""

    def cancel(self) -> None:
        """Let `run`, if it is under way in another thread, raise soon."""


class ReplayState(StrEnum):
    """How far a replay has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ReplayEvaluation:
    """One replay of two policies, and its result."""

    state: str
    """See `ReplayState`."""
    why: str
    """What it was made for: `start`, `pools`, `asked` or `shadow`."""
    nominee: str
    """The candidate."""
    rival: str
    """The baseline."""
    preference: float
    pools: str
    """Digest of the pools it holds for."""
    time: float
    """Unix seconds of its begin."""
    better: str | None = None
    """The policy that is shown to be better; None: no difference is shown."""
    ahead: str | None = None
    """The policy with the lower mean. It decides: one of them must, shown to be better or not."""
    verdict: ReplayVerdict | None = None
    error: str = ""

    def json(self) -> dict[str, Any]:
        """All fields, for the store."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `json`; raises `TypeError` or `InputError` for anything else."""
        verdict = values.get("verdict")
        return cls(**{**values, "verdict": None if verdict is None else ReplayVerdict.of(verdict)})

    def sentence(self) -> str:
        """One line for the log."""
        if self.verdict is None:
            return f"{self.nominee} against {self.rival}: {self.state} {self.error}".rstrip()
        found = self.verdict
        interval = "" if found.low is None else f" [{found.low:+.1%}, {found.high:+.1%}]"
        return (
            f"{self.nominee} has {found.difference:+.1%}{interval} of {self.rival}'s objective at "
            f"preference {self.preference:g}, is better on {found.won} of "
            f"{found.windows} workloads ({found.about}): "
            + (f"{self.better} is better" if self.better else "no difference is shown")
        )


OnEnd = Callable[[ReplayEvaluation], None]
"""Called with an evaluation that has ended, in the replay's thread."""


class ReplayRunner:
    """Runs one replay at a time, in a thread that waits for it. Thread-safe."""

    def __init__(self, replay: Replay, clock: Clock) -> None:
        self._replay = replay
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()

    def begin(self, question: Question, why: str, on_end: OnEnd) -> ReplayEvaluation:
        """Start a replay and return; raises `StateError` while another is under way."""
        begun = ReplayEvaluation(
            ReplayState.RUNNING,
            why,
            question.nominee,
            question.rival,
            question.preference,
            digest(question.pools),
            self._clock.now(),
        )
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise StateError("a replay is under way", {"fit": "ask again when it has ended"})
            self._cancelled = cancelled = threading.Event()

            def run() -> None:
                on_end(self._result(begun, question, cancelled))

            self._thread = threading.Thread(target=run, name="replay", daemon=True)
            self._thread.start()
        return begun

    def wait(self, timeout_s: float) -> bool:
        """Wait until no replay is under way; False: one still is after `timeout_s`."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def stop(self) -> None:
        """Cancel the replay under way, and wait until it has ended."""
        with self._lock:
            thread = self._thread
            self._cancelled.set()
        # Cancelling takes effect once the replay has its process; it may just be starting it.
        while thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._replay.cancel()
            thread.join(_JOIN_S)

    def _result(
        self, begun: ReplayEvaluation, question: Question, cancelled: threading.Event
    ) -> ReplayEvaluation:
        try:
            verdict = None if cancelled.is_set() else self._replay.run(question)
        except Exception as error:
            if not cancelled.is_set():
                reason = error.message if isinstance(error, FulcrumError) else repr(error)
                return replace(begun, state=ReplayState.FAILED, error=reason)
            verdict = None
        if verdict is None or cancelled.is_set():
            return replace(begun, state=ReplayState.CANCELLED)
        ahead = begun.nominee if verdict.nominee <= verdict.rival else begun.rival
        better = ahead if verdict.shown else None
        return replace(begun, state=ReplayState.DONE, verdict=verdict, better=better, ahead=ahead)


def digest(pools: object) -> str:
    """12 hexadecimal digits of all figures of the pools."""
    return hashlib.sha256(repr(pools).encode()).hexdigest()[:12]
