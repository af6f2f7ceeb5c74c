"""The executor's port: starts attempts, watches them, stops them.

Obligations of every implementation:

- **Idempotent.** Launching an attempt again starts nothing; it reports what is known.
- **Not deceived.** An attempt is its number *and* its nonce: what an attempt with the same number
  and another nonce left is never believed. Nor is anything that a job itself can write.
- **Complete.** Every launched attempt ends in exactly one distinct outcome; its `Exited` is
  delivered at least once, after a restart of the service too.
- **Outliving.** Attempts go on when the service stops or is killed; `alive()` finds them again.
- **Patient.** An attempt that is preempted has its whole grace to save its work.
- **Contained.** Stopping an attempt stops every process it started.
- **Exact.** Each part of an attempt runs on the node and the devices that the spec names.
- **Fenced.** Once an attempt was launched, earlier attempts of its job end within seconds wherever
  they still run, and none of them changes the job's folder for good.
- **Unsure.** Silence of a node is no end: an attempt is lost only `lost_after_s` after its node
  was last heard of while the executor itself could hear.
- **Thread-safe.** Events are delivered from the executor's own thread, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL, NodeFacts
from scheduler.domain.resources import DeviceKind


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """Which attempt is meant, and where its work finds its folder."""

    attempt: str
    """`17.2`."""
    nonce: str
    """Empty for attempts of before schema 0003."""
    folder: Path
    nodes: tuple[str, ...] = (LOCAL,)
    """Names of the nodes that it was placed on, by rank."""


@dataclass(frozen=True, slots=True)
class Part:
    """What an attempt takes of one node. A process of its own works there."""

    node: str
    device_kind: DeviceKind
    devices: tuple[str, ...] = ()
    """CPU numbers or GPU identifiers, as the node's operating system and CUDA know them."""
    memory_bytes: int = 0
    """The attempt is stopped when its part takes more host memory; 0: not limited."""


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """Everything an attempt's process needs."""

    attempt: str
    """`17.2`."""
    nonce: str
    """Of the attempt; see `Attempt.nonce`."""
    job_nonce: str
    """Of the job; see `Job.nonce`."""
    kind: JobKind
    work: Mapping[str, Any]
    """Parameters of the kind, paths of earlier jobs' results filled in."""
    folder: Path
    """Of this attempt: log.txt, metrics.jsonl and work/. What lies there is moved aside."""
    shared: Path
    """Of the job, the same for all its attempts: checkpoints/ and artifacts/. A folder of
    another job is moved aside."""
    parts: tuple[Part, ...]
    """At least one, by rank; they start together or not at all."""
    rank: int = 0
    """The part that a process works on; executors of several nodes set it."""
    time_limit_s: float | None = None
    resume_from: Path | None = None
    """Checkpoints of an earlier job that the job goes on from, until it has its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables whose values no file may hold, and which logs do not show."""

    @property
    def part(self) -> Part:
        """The part of this rank."""
        return self.parts[self.rank]

    @property
    def part_folder(self) -> Path:
        """Log and metrics of this rank: rank 0 has the attempt's folder, rank N `rank-N/` in it."""
        return self.folder / f"rank-{self.rank}" if self.rank else self.folder

    @property
    def width(self) -> int:
        """Devices of all parts."""
        return sum(len(part.devices) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt's work has to say once it is done."""

    code: int
    """Exit code."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """Figures of the work, or `error` and `retriable`."""


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt's process runs its first own line."""

    attempt: str
    pid: int
    time: float


@dataclass(frozen=True, slots=True)
class Exited:
    """The attempt has ended and every process of it is gone."""

    attempt: str
    time: float
    reason: str
    """`exit code 0`, `exit code 3`, `signal SIGKILL`, `out of memory`, `time limit`,
    `cancelled`, `preempted`, `could not start: …`, `lost: …`."""
    success: bool
    retriable: bool = True
    """False if another attempt would fail the same way (bad parameters, missing folder)."""
    lost: bool = False
    """The machine or its supervisor failed, not the job."""
    preempted: bool = False
    """It was asked to stop by `preempt` and did not end well before that."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """`Outcome.result`; empty if the work did not come to its end."""
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class NodesChanged:
    """The nodes are others, or in other states."""

    nodes: Mapping[str, NodeFacts]
    """All that are known, by name."""


class Unknown:
    """In place of a pid: the attempt's node cannot be asked now."""


UNKNOWN = Unknown()
"""The only one."""
AttemptEvent = Started | Exited
ExecutorEvent = AttemptEvent | NodesChanged
Sink = Callable[[ExecutorEvent], None]


class Executor(Protocol):
    """Runs attempts. `start` is called once, before anything else."""

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`."""

    def launch(self, spec: LaunchSpec) -> None:
        """Start an attempt; returns before it runs. A failure to start is an `Exited`."""

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """Ask it to stop (SIGTERM), and after `grace_s` make it. Unknown or ended: no effect."""

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """Ask it to save its work and stop (SIGTERM), and after `grace_s` stop it.

        It ends as `preempted`, however its processes end, unless its work was done before. A
        later `cancel` makes it a cancelled one. Unknown, ended or cancelled: no effect.
        """

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | Unknown | None]:
        """Of these attempts those known here, by id: pid of rank 0, or None if already ended.

        `UNKNOWN`: one of its nodes cannot be asked now; what becomes of it is delivered later.
        From then on the executor watches them as if it had launched them: the ended ones' and
        later the running ones' `Exited` are delivered. An id missing from the answer was never
        started here.
        """

    def nodes(self) -> Mapping[str, NodeFacts]:
        """All nodes, by name; `NodesChanged` tells of changes after `start`.

        An executor of this machine alone has `LOCAL`, which is always up.
        """

    def health(self) -> tuple[str, ...]:
        """What keeps jobs from starting, ending or being stopped, one sentence each.

        Empty: nothing. Returns at once, and may be called by any thread at any time.
        """

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """Stop whatever runs here besides these attempts; how many.

        No store knows it, because its database was restored or exchanged, so nobody could stop
        it later. Called once, after `start`; returns when all its processes are gone.
        """

    def close(self) -> None:
        """Stop watching; running attempts go on."""
