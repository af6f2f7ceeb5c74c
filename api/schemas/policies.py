"""Answers about policies: who decides, replay evaluations, the shadow, the registered policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import AwareDatetime, Field

from api.schemas.answer import Answer

if TYPE_CHECKING:  # clients read these models too, and need no NumPy for it
    from agents.registry.registry import Entry


class PreferencesOut(Answer):
    """How much speed is worth to jobs that do not say: 0 cheapest … 1 fastest."""

    cluster: float
    projects: Mapping[str, float] = Field(description="Of projects that have their own.")


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
    nominee_latency_s: float | None = Field(
        None, description="Mean time from submission to end of a job; null in old replays."
    )
    nominee_dollars: float | None = Field(None, description="Mean cost of a job.")
    rival_latency_s: float | None = None
    rival_dollars: float | None = None


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
    preempts: bool = Field(
        default=False,
        description="Whether it preempts by itself: then it reserves nothing, and the mode plays "
        "no part.",
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
