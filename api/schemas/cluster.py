"""Answers about the cluster: nodes, costs, estimates, health, sessions, and the files of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.answer import Answer
from api.schemas.policies import PolicyOut
from scheduler.domain.nodes import NodeEventName, NodeFacts, NodeState
from scheduler.domain.records import CostGroup
from scheduler.domain.resources import DeviceKind

if TYPE_CHECKING:  # clients read these models too, and need no NumPy for it
    from scheduler.domain.records import Cost
    from scheduler.service.nodes.idle_costs import IdleCost
    from scheduler.service.queries.views import NodeView, PoolView


class DeviceOut(Answer):
    """One device of a pool."""

    index: int
    id: str = Field(description="As the operating system or CUDA knows it.")
    job: int | None = Field(description="The job that holds it.")


class PoolOut(Answer):
    """Equal devices on equal nodes, with what they do now."""

    name: str
    kind: DeviceKind
    model: str
    nodes: int
    devices_per_node: int
    count: int = Field(description="Devices in the whole pool.")
    busy: int
    memory_per_node: int = Field(description="Bytes; 0: not limited.")
    memory_used: int = Field(description="Bytes that attempts have claimed.")
    dollars_per_device_hour: float
    watts_per_device: float
    flops_per_device: float
    boot_s: float
    available: bool = Field(
        default=True,
        description="False: the service's machine lacks its devices; nothing is placed on it.",
    )
    note: str = Field(default="", description="What a person should know about it.")
    source: str = Field(default="", description="Where price, power and rate come from.")
    devices: tuple[DeviceOut, ...]

    @classmethod
    def of(cls, view: PoolView) -> Self:
        """From the service's value."""
        return cls.from_values(view, view.pool)


class LeaderOut(Answer):
    """The service that leads, of those that share a database."""

    holder: str = Field(description="Machine and process.")
    address: str = Field(description="Its URL; empty until it listens.")
    epoch: int = Field(description="1 for the first leader; one more for each that follows.")
    follows: bool = Field(description="Whether the service that answers follows it.")
    present: bool = Field(description="False: its lease has ended, and another one takes over.")


class ClusterOut(Answer):
    """The whole cluster at one instant."""

    now: AwareDatetime
    pools: tuple[PoolOut, ...]
    queued: int = Field(description="Jobs that wait, for whatever reason.")
    active: int = Field(description="Jobs that hold devices.")
    policy: PolicyOut
    leader: LeaderOut | None = Field(
        default=None, description="Null: the service has its database to itself."
    )


class CostOut(Answer):
    """What a user, a project or a day has cost."""

    group: str = Field(description="User, project, pool, or day (UTC).")
    jobs: int
    attempts: int
    device_seconds: float
    dollars: float
    joules: float
    lost_device_seconds: float = Field(0.0, description="The part that preemption cost.")


class IdleCostOut(Answer):
    """What the idle devices of a pool cost."""

    pool: str
    device_seconds: float
    dollars: float


class CostsOut(Answer):
    """Measured costs of ended attempts."""

    by: CostGroup
    groups: tuple[CostOut, ...] = Field(description="Most expensive first; days oldest first.")
    total: CostOut
    idle: tuple[IdleCostOut, ...] = Field(
        (), description="Of pools that are billed while they are up; not part of the total."
    )

    @classmethod
    def of_groups(cls, by: CostGroup, costs: list[Cost], idle: Sequence[IdleCost] = ()) -> Self:
        """From the store's sums. A job over two days counts once a day, so the total adds up."""
        total = CostOut(
            group="total",
            jobs=sum(cost.jobs for cost in costs),
            attempts=sum(cost.attempts for cost in costs),
            device_seconds=sum(cost.device_seconds for cost in costs),
            dollars=sum(cost.dollars for cost in costs),
            joules=sum(cost.joules for cost in costs),
            lost_device_seconds=sum(cost.lost_device_seconds for cost in costs),
        )
        return cls(
            by=by,
            groups=tuple(map(CostOut.of, costs)),
            total=total,
            idle=tuple(map(IdleCostOut.of, idle)),
        )


class ErrorOut(Answer):
    """Errors of the estimates of one group of attempts."""

    group: str
    count: int
    median_error: float = Field(description="Median of |estimate - truth| / truth.")
    p90_error: float = Field(description="Its 90th percentile.")
    bias: float = Field(description="Median of estimate / truth, minus 1; above 0: too long.")
    coverage: float | None = Field(
        default=None,
        description="Share of runtimes inside the interval of 80 %; null: none was known.",
    )


class MeasurementOut(Answer):
    """One attempt's runtime, estimated and true."""

    job: int
    attempt: int
    time: AwareDatetime = Field(description="Its end.")
    key: str = Field(description="Work with an equal key runs at an equal rate.")
    pool: str
    model: str = Field(description="Of the device.")
    width: int
    estimated_s: float
    seconds: float
    overhead_s: float = Field(description="Part of `seconds` before the first sample.")
    samples: float
    rate: float = Field(description="Samples per second while working.")
    source: str = Field(description="Where the estimate came from.")


class EstimatesOut(Answer):
    """How far the estimates of runtimes were from the truth."""

    by: Literal["source", "kind"]
    errors: tuple[ErrorOut, ...] = Field(description="Largest group first, then `all`.")
    measurements: tuple[MeasurementOut, ...] = Field(description="Newest first.")


class ArtifactOut(Answer):
    """A file that a job left."""

    name: str = Field(description="Path inside the job's artifacts, with forward slashes.")
    size: int = Field(description="Bytes.")
    modified_at: AwareDatetime
    media_type: str


class ArtifactsOut(Answer):
    """The files that a job left, by name."""

    artifacts: tuple[ArtifactOut, ...]
    pruned_at: AwareDatetime | None = Field(
        default=None, description="When files that are not listed were removed to save space."
    )


class MetricsOut(Answer):
    """The metric lines of one attempt, in the order in which they were written."""

    attempt: int
    lines: tuple[Mapping[str, Any], ...]


class JobMetricsOut(Answer):
    """What a job's work has measured so far."""

    attempts: tuple[MetricsOut, ...] = Field(description="Oldest first.")


class ProblemOut(Answer):
    """Something that is not well, although jobs are accepted and started."""

    part: str = Field(description="`policy`, `pools`, `logs` and the like.")
    text: str
    advice: str = Field(description="What to do about it.")


class HealthOut(Answer):
    """Whether the service answers."""

    status: Literal["ok"]
    problems: tuple[ProblemOut, ...] = ()
    leader: LeaderOut | None = Field(
        default=None, description="Null: the service has its database to itself, or is not asked."
    )


class ProofOut(Answer):
    """Who answers knows the token of the data folder."""

    proof: str = Field(description="Hexadecimal digits.")


class SessionIn(BaseModel):
    """A sign-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(min_length=1, max_length=512, description="As for `Authorization`.")


class SessionOut(Answer):
    """Who the caller is."""

    user: str | None = Field(description="null: nobody is signed in.")
    role: Literal["admin", "user", "viewer"] | None


class DrainIn(BaseModel):
    """Why no job shall start on a node."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(max_length=500)] = Field(
        default="", description="Shown to those whose jobs wait."
    )


class NodeOut(Answer):
    """A machine that runs jobs."""

    name: str
    state: NodeState
    since: AwareDatetime = Field(description="Begin of the state.")
    reason: str = Field(description="Why it is in that state.")
    pools: Mapping[str, int] = Field(description="Pool to which of its nodes it is, from 0.")
    drained_by: str = Field(description="Who wants that no job starts on it; empty: nobody.")
    seen_at: AwareDatetime = Field(description="When it was last known to answer.")
    address: str = ""
    labels: Mapping[str, str] = Field(default_factory=dict)
    clock_offset_s: float = Field(
        default=0.0, description="Seconds by which its clock is ahead of the service's."
    )
    cpus: int = Field(default=0, description="CPUs that jobs may use; 0: not known.")
    gpus: tuple[str, ...] = Field(default=(), description="Model of each GPU.")
    memory_bytes: int = Field(default=0, description="Of the host, for jobs; 0: not known.")
    jobs: tuple[int, ...] = Field(description="Jobs with an attempt on it.")

    @classmethod
    def of(cls, view: NodeView) -> Self:
        """From the service's value."""
        node = view.node
        facts = node.facts or NodeFacts(node.name)
        return cls.from_values(
            node,
            facts,
            pools=node.places,
            cpus=len(facts.cpus),
            gpus=tuple(model for _, model, _ in facts.gpus),
            jobs=tuple(view.jobs),
        )


class NodesOut(Answer):
    """All nodes, by name."""

    nodes: tuple[NodeOut, ...]


class NodeEventOut(Answer):
    """Something that happened to a node."""

    seq: int = Field(description="Position in the history of all nodes; rises.")
    node: str
    name: NodeEventName
    time: AwareDatetime
    actor: str = Field(description="Who: a user, or `executor`.")
    reason: str
    data: Mapping[str, Any]


class NodeEventPage(Answer):
    """What happened to nodes, oldest first."""

    events: tuple[NodeEventOut, ...]
    next_after: int = Field(description="`after` for what follows.")


class PendingMessageOut(Answer):
    """A notification that has not arrived yet."""

    to: str = Field(description="Address of a webhook or a person.")
    event: str = Field(description="`job.succeeded`, `job.failed`, `job.lost`, …")
    text: str = Field(description="The same as a sentence.")
    since: AwareDatetime = Field(description="When it was made.")
    tries: int = Field(description="How often it failed to arrive.")
    due: AwareDatetime = Field(description="Next try; the epoch: at once.")


class NotificationsOut(Answer):
    """Notifications on their way."""

    pending: tuple[PendingMessageOut, ...]
