"""What the doors answer about the cluster, its policy, its costs and its estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import AwareDatetime, Field

from api.schemas.answers import Answer
from api.schemas.fields import instant
from scheduler.domain.resources import DeviceKind

if TYPE_CHECKING:  # clients read these models too, and need no NumPy for it
    from agents.registry.registry import Entry
    from scheduler.domain.records import Cost, Measurement
    from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation
    from scheduler.service.policy_control.shadow import ShadowView
    from scheduler.service.policy_control.views import ActivePolicyView
    from scheduler.service.queries.views import ClusterView, PoolView


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
        pool = view.pool
        return cls(
            name=pool.name,
            kind=pool.kind,
            model=pool.model,
            nodes=pool.nodes,
            devices_per_node=pool.devices_per_node,
            count=pool.count,
            busy=view.busy,
            memory_per_node=pool.memory_per_node,
            memory_used=view.memory_used,
            dollars_per_device_hour=pool.dollars_per_device_hour,
            watts_per_device=pool.watts_per_device,
            flops_per_device=pool.flops_per_device,
            boot_s=pool.boot_s,
            available=view.available,
            note=view.note,
            source=view.source,
            devices=tuple(DeviceOut.model_validate(device) for device in view.devices),
        )


class PreferencesOut(Answer):
    """How much speed is worth to jobs that do not say: 0 cheapest … 1 fastest."""

    cluster: float
    projects: Mapping[str, float] = Field(description="Of projects that have one of their own.")


class VerdictOut(Answer):
    """How two policies did on the same workloads."""

    source: Literal["history", "synthetic"]
    about: str = Field(description="What was replayed.")
    windows: int = Field(
        description="Workloads that both were simulated on; none shares a job with another."
    )
    jobs: int
    nominee: float = Field(description="Mean objective per job; less is better.")
    rival: float
    difference: float = Field(description="(nominee - rival) ÷ rival; below 0: better.")
    low: float | None = Field(description="95 % interval of the difference.")
    high: float | None
    median: float = Field(description="Median of the workloads' differences.")
    won: int = Field(description="Workloads on which the nominee is better.")
    lost: int = Field(description="Workloads on which it is worse.")
    shown: bool = Field(
        description="Whether a difference is shown: the interval excludes 0, on 6 workloads or "
        "more."
    )
    utilisation: float = Field(
        description="Share of the device time that was of use; this and the next are under the "
        "rival."
    )
    queue_mean: float = Field(description="Jobs waiting, mean over time.")
    queue_max: float = Field(description="The most jobs waiting at a time.")
    waiting: float = Field(description="Share of the latency that is waiting.")
    seconds: float = Field(description="Real time it took.")


class FitOut(Answer):
    """A replay of two policies in the simulator, on this cluster's pools."""

    state: Literal["running", "done", "failed", "cancelled"]
    why: str = Field(description="`start`, `pools` (they have changed), `asked` or `shadow`.")
    nominee: str
    rival: str
    preference: float = Field(description="At which the objective was taken.")
    time: AwareDatetime = Field(description="Its begin.")
    better: str | None = Field(
        description="The policy that is shown to be better; null: no difference is shown."
    )
    ahead: str | None = Field(
        description="The policy with the lower mean: it decides, unless the replay was of a shadow."
    )
    verdict: VerdictOut | None
    error: str

    @classmethod
    def of(cls, fit: ReplayEvaluation) -> Self:
        """From the service's value."""
        return cls.model_construct(
            state=fit.state,
            why=fit.why,
            nominee=fit.nominee,
            rival=fit.rival,
            preference=fit.preference,
            time=instant(fit.time),
            better=fit.better,
            ahead=fit.ahead,
            verdict=None if fit.verdict is None else VerdictOut.model_validate(fit.verdict),
            error=fit.error,
        )


class ShadowOut(Answer):
    """A policy that sees every decision and changes none."""

    name: str
    since: AwareDatetime
    rounds: int = Field(description="Decisions that it has seen.")
    placements: int = Field(description="Different placements that either policy made.")
    agreed: int = Field(description="Of these, made by both: job, pool and width.")
    agreement: float | None = Field(description="agreed ÷ placements; null before the first.")
    dropped: int = Field(description="Decisions passed over because it was too slow.")
    failed: int = Field(description="Decisions on which it failed, or its guard decided.")
    fit: FitOut | None = Field(description="The last replay against the active policy.")

    @classmethod
    def of(cls, shadow: ShadowView) -> Self:
        """From the service's value."""
        return cls(
            name=shadow.name,
            since=instant(shadow.since),
            rounds=shadow.rounds,
            placements=shadow.placements,
            agreed=shadow.agreed,
            agreement=shadow.agreement,
            dropped=shadow.dropped,
            failed=shadow.failed,
            fit=None if shadow.evaluation is None else FitOut.of(shadow.evaluation),
        )


class PolicyOut(Answer):
    """Who decides now."""

    name: str
    mode: str = Field(
        description="What happens to a job that does not fit: the mode the policy was made for, "
        "else the cluster's."
    )
    preference: float = Field(description="Of jobs and projects that name none.")
    fallbacks: int = Field(
        description="Decisions the guard took over since it was chosen, and explanations it did "
        "not get."
    )
    faults: Mapping[str, int] = Field(
        description="The same by reason: `failed`, `infeasible`, `nan`, `slow`, `idle`."
    )
    nominee: str = Field(
        description="Wanted by the settings or a person; another decides if it fits better here."
    )
    fit: FitOut | None = Field(description="The last replay of the nominee and its rival.")
    shadow: ShadowOut | None = Field(description="The candidate that looks on.")

    @classmethod
    def of(cls, policy: ActivePolicyView) -> Self:
        """From the service's value."""
        return cls(
            name=policy.name,
            mode=policy.mode,
            preference=policy.preference,
            fallbacks=policy.fallbacks,
            faults=policy.faults,
            nominee=policy.nominee,
            fit=None if policy.evaluation is None else FitOut.of(policy.evaluation),
            shadow=None if policy.shadow is None else ShadowOut.of(policy.shadow),
        )


class PolicySummary(Answer):
    """A policy that may be chosen."""

    name: str
    summary: str
    active: bool
    state: Literal["heuristic", "shipped", "candidate", "promoted"] = Field(
        default="heuristic",
        description="Of learned policies: `shipped` with Fulcrum, `promoted`: the one that others "
        "must beat, `candidate`: any other.",
    )
    usable: bool = Field(default=True, description="False: `summary` says why not.")

    @classmethod
    def tuned(cls, name: str, active: str = "") -> Self:
        """A registered schedule of wgc; `active` is the name of the policy that decides."""
        full = f"wgc:{name}"
        summary = "wgc with constants that were tuned and registered"
        return cls(name=full, summary=summary, active=full == active)

    @classmethod
    def learned(cls, entry: Entry, active: str = "") -> Self:
        """From an entry of the registry; `active` is the name of the policy that decides."""
        return cls(
            name=entry.reference,
            summary=entry.summary(),
            active=entry.reference == active,
            state=entry.state,
            usable=not entry.fault(),
        )


class PoliciesOut(Answer):
    """All policies by name, and the active one."""

    active: PolicyOut
    policies: tuple[PolicySummary, ...]


class ClusterOut(Answer):
    """The whole cluster at one instant."""

    now: AwareDatetime
    pools: tuple[PoolOut, ...]
    queued: int = Field(description="Jobs that wait, for whatever reason.")
    active: int = Field(description="Jobs that hold devices.")
    policy: PolicyOut

    @classmethod
    def of(cls, view: ClusterView) -> Self:
        """From the service's value."""
        return cls.model_construct(
            now=instant(view.now),
            pools=tuple(PoolOut.of(pool) for pool in view.pools),
            queued=view.queued,
            active=view.active,
            policy=PolicyOut.of(view.policy),
        )


class CostOut(Answer):
    """What a user, a project or a day has cost."""

    group: str = Field(description="User, project, or day (UTC).")
    jobs: int
    attempts: int
    device_seconds: float
    dollars: float
    joules: float


class CostsOut(Answer):
    """Measured costs of ended attempts."""

    by: Literal["user", "project", "day"]
    groups: tuple[CostOut, ...] = Field(description="Dearest first; days oldest first.")
    total: CostOut

    @classmethod
    def of(cls, by: Literal["user", "project", "day"], costs: list[Cost]) -> Self:
        """From the store's sums. A job over two days counts once a day, so the total adds up."""
        total = CostOut(
            group="total",
            jobs=sum(cost.jobs for cost in costs),
            attempts=sum(cost.attempts for cost in costs),
            device_seconds=sum(cost.device_seconds for cost in costs),
            dollars=sum(cost.dollars for cost in costs),
            joules=sum(cost.joules for cost in costs),
        )
        groups = tuple(CostOut.model_validate(cost) for cost in costs)
        return cls(by=by, groups=groups, total=total)


class ErrorOut(Answer):
    """Errors of the estimates of one group of attempts."""

    group: str
    count: int
    median_error: float = Field(description="Median of |estimate - truth| / truth.")
    p90_error: float = Field(description="Its 90th percentile.")
    bias: float = Field(description="Median of estimate / truth, minus 1; above 0: too long.")


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

    @classmethod
    def of(cls, measurement: Measurement) -> Self:
        """From the store's record."""
        return cls.model_construct(
            job=measurement.job,
            attempt=measurement.attempt,
            time=instant(measurement.time),
            key=measurement.key,
            pool=measurement.pool,
            model=measurement.model,
            width=measurement.width,
            estimated_s=measurement.estimated_s,
            seconds=measurement.seconds,
            overhead_s=measurement.overhead_s,
            samples=measurement.samples,
            rate=measurement.rate,
            source=measurement.source,
        )


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


class ProofOut(Answer):
    """Who answers knows the token of the data folder."""

    proof: str = Field(description="Hexadecimal digits.")
