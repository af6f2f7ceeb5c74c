"""The values that the service answers with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from scheduler.decisions.rounds.explanation import Alternative
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.nodes import Node
from scheduler.domain.pools import Pool
from scheduler.domain.records import Decision
from scheduler.hardware.inventory import Inventory
from scheduler.service.policy_control.views import ActivePolicyView


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What one change would do to a waiting job, by the estimates."""

    change: str
    """`priority`, `preference` or `devices`."""
    value: float | None
    """The priority, the preference (0 cheapest … 1 fastest) or the number of devices that would be
    free; None: no value changes anything."""
    text: str
    """One sentence for a person."""
    start: float | None
    """Expected then, Unix seconds; None: as now, or unknown."""
    end: float | None
    pool: str | None
    width: int | None
    dollars: float | None
    """Expected of the attempt then."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job is where it is: one dominant reason with its evidence."""

    job: Job
    cause: str
    """`dependency`, `backoff`, `scheduled`, `budget`, `no-pool`, `devices`, `order`, `policy`,
    `none` (it starts in the next round), `active` or `final`."""
    text: str
    """One sentence for a person."""
    position: int | None = None
    """1: next in the policy's order; None unless it competes for devices."""
    depth: int | None = None
    """Jobs that compete."""
    start: float | None = None
    """Expected start, Unix seconds; None: not in sight."""
    end: float | None = None
    """Expected end, Unix seconds."""
    start_low: float | None = None
    """It starts after this and before `start_high` with a chance of 80 %; None: not known."""
    start_high: float | None = None
    """inf: later than the forecast reaches."""
    pool: str | None = None
    width: int | None = None
    dollars: float | None = None
    """Expected dollars of the attempt."""
    blockers: Sequence[int] = ()
    """Jobs whose end or start it waits for, soonest first."""
    alternatives: Sequence[Alternative] = ()
    """Other placements the job accepts."""
    ahead: str = ""
    """Who goes first for its pool, and why; empty if it is next or does not compete."""
    what_if: Sequence[WhatIf] = ()
    """What would let it start or end earlier, or cost less."""
    decisions: Sequence[Decision] = ()
    """What the scheduler decided about it, newest first."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would happen to a job if it were submitted now."""

    preference: str
    """`fast`, `balanced` or `cheap`."""
    pool: str
    width: int
    wait_s: float
    """inf: not in sight."""
    runtime_s: float
    dollars: float
    joules: float
    source: str
    """Where the runtime comes from: `history`, `flops`, `learned`, `requested` or `default`."""
    meets_deadline: bool | None
    """None: the job has no deadline."""
    wait_low_s: float | None = None
    """It waits longer than this and less than `wait_high_s` with a chance of 80 %; None: not
    known."""
    wait_high_s: float | None = None
    """inf: longer than the forecast reaches."""


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that competes for devices, and where it is expected to run."""

    job: int
    position: int
    """1: starts next."""
    start: float
    """Expected, Unix seconds."""
    end: float
    pool: str
    width: int
    dollars: float
    """Expected of the attempt."""


@dataclass(frozen=True, slots=True)
class ExpectedEnd:
    """An attempt that holds devices, and when it is expected to end."""

    job: int
    attempt: int
    """Its number."""
    pool: str
    devices: Sequence[int]
    """Indices inside the pool."""
    start: float
    """Unix seconds; of its placement until it has started."""
    end: float
    dollars: float
    """Expected of the attempt."""


@dataclass(frozen=True, slots=True)
class QueueForecast:
    """What the cluster will do next if every estimate is right and nothing new arrives."""

    now: float
    """When the forecast was made, Unix seconds."""
    depth: int
    """Jobs that compete for devices."""
    running: Sequence[ExpectedEnd]
    """By expected end."""
    waiting: Sequence[WaitingJob]
    """By expected start; jobs whose start is not in sight are missing."""
    held: Mapping[int, str]
    """Waiting jobs that do not compete yet, and why."""
    note: str
    """Why no start is forecast; empty if starts are."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a running attempt is, and when it is expected to end."""

    attempt: int
    """Its number."""
    fraction: float | None
    """Share of the whole job that is done, 0 … 1; None: the work does not tell."""
    left_s: float
    """Seconds until its end, by its measured speed and by the estimate."""
    end: float
    """Unix seconds."""
    epoch: int | None = None
    """From 1."""
    epochs: int | None = None
    batch: int | None = None
    """Batches done of the epoch."""
    batches: int | None = None
    samples_per_s: float | None = None
    reported_at: float | None = None
    """Unix seconds; None: there is no report yet."""


@dataclass(frozen=True, slots=True)
class JobFigures:
    """What a job has cost and reached so far."""

    dollars: float
    """Of its ended attempts, and of the running one until now."""
    joules: float
    accuracy: float | None
    """That of the test; before, and of jobs without one, the best of the validated epochs."""
    best_epoch: int | None = None
    """The epoch of the accuracy, if it is that of a validated epoch."""
    running: RunProgress | None = None


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device of a pool."""

    index: int
    id: str
    """As the operating system or CUDA knows it."""
    job: int | None
    """The job that holds it."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool and what it does now."""

    pool: Pool
    devices: Sequence[DeviceView]
    memory_used: int
    available: bool = True
    """False: this machine lacks its devices; nothing is placed on it."""
    note: str = ""
    """What a person should know about the pool."""
    source: str = ""
    """Where its price, power and rate come from."""

    @classmethod
    def of(
        cls,
        pool: Pool,
        inventory: Inventory,
        holders: Iterable[Attempt],
        troubles: Mapping[str, str],
    ) -> Self:
        """`holders`: active attempts, of other pools too; `troubles`: what is said of nodes."""
        names = dict.fromkeys(inventory.node(pool.name, at) for at in range(pool.nodes))
        note = inventory.absent.get(pool.name) or inventory.notes.get(pool.name, "")
        said = [note, *(troubles[name] for name in names if name in troubles)]
        here = [holder for holder in holders if holder.pool == pool.name]
        jobs = {device: holder.job for holder in here for device in holder.devices}
        identifiers = inventory.devices(pool.name, range(pool.count))
        return cls(
            pool=pool,
            devices=[
                DeviceView(index, identifiers[index], jobs.get(index))
                for index in range(pool.count)
            ],
            memory_used=sum(holder.memory_bytes for holder in here),
            available=pool.name not in inventory.absent,
            note="; ".join(filter(None, said)),
            source=inventory.sources.get(pool.name, ""),
        )

    @property
    def busy(self) -> int:
        """Devices that a job holds."""
        return sum(device.job is not None for device in self.devices)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node and the jobs that it runs."""

    node: Node
    jobs: Sequence[int]
    """Those with an attempt on it, ascending."""


@dataclass(frozen=True, slots=True)
class LeaderView:
    """The service that leads, of those that share a database."""

    holder: str
    """Machine and process."""
    address: str
    """Its URL; empty until it listens."""
    epoch: int
    follows: bool
    """Whether the service that answers follows it, and does not lead itself."""
    present: bool
    """Whether its lease lasts; False: another one will take over."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The whole cluster at one instant."""

    now: float
    pools: Sequence[PoolView]
    queued: int
    """Jobs that wait, for any reason."""
    active: int
    policy: ActivePolicyView
    leader: LeaderView | None = None
    """None: the service has its database to itself."""
