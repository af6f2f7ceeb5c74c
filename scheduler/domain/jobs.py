"""Jobs and their attempts, as values."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from scheduler.domain.errors import InputError
from scheduler.domain.lifecycle import AttemptState, JobState
from scheduler.domain.nodes import LOCAL
from scheduler.domain.notifications import Notify
from scheduler.domain.references import references, renumbered
from scheduler.domain.resources import Request

PREFERENCES: Mapping[str, float] = {"cheap": 0.0, "balanced": 0.5, "fast": 1.0}
"""The named preferences (0 cheapest … 1 fastest)."""
HIGHEST_PRIORITY = 100
MIDDLE_PRIORITY = 50
"""The priority of jobs that name none; such a job has weight 1."""
ASSUMED = "default"
"""The source of an estimate of work of which nothing is known."""


class JobKind(StrEnum):
    """What a job does in its own process."""

    CNN_TRAIN = "cnn-train"
    CNN_INFER = "cnn-infer"
    COMMAND = "command"


def fresh_nonce() -> str:
    """New random text: it distinguishes a job or attempt from another with the same number."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is followed by another."""

    max_attempts: int = 1
    """Attempts in all, the first included. Lost attempts (machine, not job) do not count."""
    backoff_s: float = 5.0
    """Seconds before the second attempt; doubles with each further one."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after the `failures`-th failure (≥ 1)."""
        return float(self.backoff_s * 2 ** (failures - 1))


@dataclass(frozen=True, slots=True)
class Profile:
    """How much work a job is, in terms an estimator can use."""

    key: str
    """Work with an equal key runs at an equal rate on an equal device and width."""
    samples: float
    """Amount of work: images over all epochs; 1 for a command."""
    flops_per_sample: float = 0.0
    """Floating-point operations per sample; 0: unknown."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A validated submission; while the job waits, `CHANGEABLE` fields may change."""

    kind: JobKind
    work: Mapping[str, Any]
    """Parameters of the kind, validated by its model in `scheduler.workloads.spec.specs`."""
    profile: Profile
    name: str = ""
    user: str = "local"
    project: str = "default"
    request: Request = field(default_factory=Request)
    priority: int = MIDDLE_PRIORITY
    """0 (whenever) … 100 (first)."""
    preference: float | None = None
    """0 cheapest … 1 fastest; None: the project's, else the cluster's."""
    deadline: float | None = None
    """Unix seconds by which the job should have ended."""
    budget: float | None = None
    """Dollars the job may cost at most, by estimate before each attempt."""
    after: tuple[int, ...] = ()
    """Jobs that must have succeeded before this one may start."""
    retry: Retry = field(default_factory=Retry)
    max_duration_s: float | None = None
    """Seconds one attempt may run; it is stopped then."""
    resume_from: int | None = None
    """The job from whose checkpoints the first attempt goes on."""
    array: int | None = None
    """The array that the job belongs to: the number of the array's first job."""
    parallel: int | None = None
    """Jobs of its array that wait for devices or hold some at the same time, at most."""
    sweep: int | None = None
    """The sweep of which the job is a trial."""
    index: int | None = None
    """Its index in the array, or its number among the trials of the sweep."""
    notify: Notify = field(default_factory=Notify)
    """Who hears of it."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variable → name of a secret of its project; the values are never part of a job."""


CHANGEABLE = ("priority", "preference", "deadline")
"""Fields for how important and urgent a job is, and what speed is worth to it."""


def bound(spec: JobSpec, ids: Sequence[int], own: int) -> JobSpec:
    """The spec with -k in `after`, `array` and the references of its work as `ids[k - 1]`.

    So jobs of one submission refer to one another before they have ids. `ids` are those of the
    jobs before this one, whose id is `own`; only `array` may refer to the job itself. Raises
    `InputError` for a reference to any other job.
    """

    def real(reference: int | str) -> int | str:
        if isinstance(reference, str) or reference >= 0:
            return reference
        if -reference > len(ids):
            raise InputError(
                f"there is no job {-reference} in this submission before this one",
                {"after": f"-1 to -{len(ids)}" if ids else "ids of stored jobs"},
            )
        return ids[-reference - 1]

    if spec.array is not None and spec.array < 0:
        own_array = -spec.array == len(ids) + 1
        spec = replace(spec, array=own if own_array else int(real(spec.array)))
    if all(job >= 0 for job in (*spec.after, *references(spec.work))):
        return spec
    after = tuple(int(real(job)) for job in spec.after)
    return replace(spec, after=after, work=renumbered(spec.work, lambda item: [real(item)]))


@dataclass(frozen=True, slots=True)
class Job:
    """A submitted job as the store holds it."""

    id: int
    spec: JobSpec
    state: JobState
    reason: str
    """Why it is in that state: `waiting`, `retry 1 of 2 after exit code 3`, …"""
    submitted_at: float
    version: int = 0
    """Rises with every change; a write that names an older one changes nothing."""
    attempts: int = 0
    """Attempts made so far; the number of the newest."""
    failures: int = 0
    """Attempts that failed by themselves; lost and preempted ones do not count."""
    preemptions: int = 0
    """Attempts that were preempted."""
    progress: float = 0.0
    """Share of the work (0…1) that the next attempt need not do again: what the newest
    checkpoint of the ended attempts holds, as far as they told."""
    lost_s: float = 0.0
    """Seconds of its attempts that preemption cost: the sum of `Attempt.lost_s`."""
    ran_s: float = 0.0
    """Seconds that its ended attempts ran: the sum of `Attempt.ran_s`."""
    eligible_at: float = 0.0
    """Unix seconds before which it must not start: the end of a retry's pause or, before anything
    has failed, the time that it was submitted for."""
    started_at: float | None = None
    """Start of the newest attempt."""
    finished_at: float | None = None
    retry_of: int | None = None
    """The job that this one repeats, by a person's `retry`."""
    nonce: str = ""
    """Drawn at random when the job is stored. After a database was restored or removed, an id may
    occur again; a nonce does not. Empty for jobs from before schema 0003."""


def eligible_since(job: Job, ends: Iterable[float]) -> float:
    """From when its waiting counts, Unix seconds: only devices have kept it from starting since.

    `ends`: when the jobs that it waited for ended.
    """
    begin = 0.0 if job.failures else job.eligible_at  # after a failure: the end of a pause
    return max(job.submitted_at, begin, *ends)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the estimator expects of one job on one pool at one width."""

    runtime_s: float
    dollars: float
    joules: float
    source: str = ""
    """`history`, `flops`, `learned`, `requested` or `default`."""

    @property
    def assumed(self) -> bool:
        """Whether nothing is known of such work; the runtime is that of the settings."""
        return self.source == ASSUMED


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a job on certain devices."""

    job: int
    number: int
    """1 for the first."""
    state: AttemptState
    pool: str
    devices: tuple[int, ...]
    """Indices inside the pool; device i lives on node i // devices_per_node."""
    estimate: Estimate
    """As it stood when the attempt was placed."""
    memory_bytes: int
    placed_at: float
    started_at: float | None = None
    finished_at: float | None = None
    pid: int | None = None
    exit_reason: str | None = None
    """`exit code 3`, `signal SIGKILL`, `out of memory`, `time limit`, `lost`, …"""
    dollars: float | None = None
    """Measured: run time × width × price."""
    joules: float | None = None
    """Measured run time × width × power."""
    result: Mapping[str, Any] | None = None
    """The report of the work at its end."""
    nonce: str = ""
    """Drawn at random for the attempt, as `Job.nonce` is for the job."""
    lost_s: float = 0.0
    """Seconds of its run that preemption cost: what a preempted attempt did after its last
    checkpoint, and the time until the attempt after it works on."""
    nodes: tuple[str, ...] = (LOCAL,)
    """Names of the nodes that it was placed on, by rank."""

    @property
    def id(self) -> str:
        """`17.2`: the second attempt of job 17."""
        return f"{self.job}.{self.number}"

    @property
    def ran_s(self) -> float:
        """Seconds from its start to its end; 0 for one that has not ended or never started."""
        if self.started_at is None or self.finished_at is None:
            return 0.0
        return max(0.0, self.finished_at - self.started_at)

    @property
    def width(self) -> int:
        """Devices it occupies."""
        return len(self.devices)
