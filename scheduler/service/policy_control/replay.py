"""The port to a simulator: which of two policies would have done better on this cluster.

The service simulates nothing itself; whoever starts it may give it somebody who does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, Self

from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind


@dataclass(frozen=True, slots=True)
class Question:
    """Two policies, the cluster, and the time whose jobs are replayed."""

    nominee: str
    rival: str
    pools: tuple[Pool, ...]
    mode: str
    """Of a policy that was not made for one."""
    preference: float
    """w of the objective, and of jobs that name none."""
    starvation_s: float | None
    """Of the guard; None: no bound."""
    since: float
    """Unix seconds: jobs submitted from then on …"""
    until: float
    """… and before this."""
    least_jobs: int = 50
    """With fewer jobs that ended well a made-up workload is taken."""
    jobs: int = 200
    """In a made-up workload."""
    windows: int = 8
    """Workloads on which the two are compared, if there are jobs enough for distinct ones."""
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
    """How the two did on the same workloads."""

    source: str
    """`history` or `synthetic`."""
    about: str
    """What was replayed, for a person."""
    windows: int
    """Workloads that both were simulated on."""
    jobs: int
    """In all of them."""
    nominee: float
    """Mean objective per job; less is better."""
    rival: float
    difference: float
    """(nominee - rival) ÷ rival, of the means; below 0: the nominee is better."""
    low: float | None
    """95 % interval of the difference, resampled over the workloads; None: too few."""
    high: float | None
    median: float
    """Of the workloads' differences, each ÷ the rival's objective."""
    won: int
    """Workloads on which the nominee is better."""
    lost: int
    """Workloads on which it is worse."""
    shown: bool
    """Whether a difference is shown: the interval excludes 0, on enough distinct workloads."""
    utilisation: float
    """Under the rival, as are the figures below: share of the device time that was of use."""
    queue_mean: float
    """Jobs waiting, mean over time."""
    queue_max: float
    """The most that waited in any of the workloads."""
    waiting: float
    """Share of the latency that is waiting."""
    seconds: float
    """Real time it took."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From the JSON of another process, or of the store; raises `InputError`."""
        try:
            return cls(**{each.name: values[each.name] for each in fields(cls)})
        except (KeyError, TypeError) as error:
            legal: Sequence[str] = [each.name for each in fields(cls)]
            raise InputError(
                f"no verdict: {error}", {"verdict": f"with {', '.join(legal)}"}
            ) from error


class Replay(Protocol):
    """Answers questions, one at a time."""

    def concerns(self, policy: str) -> bool:
        """Whether a policy of that name should prove itself before it decides for good."""

    def run(self, question: Question) -> ReplayVerdict:
        """Simulate; takes minutes. Raises `UnavailableError` if it fails or was cancelled."""

    def cancel(self) -> None:
        """Let `run`, if it is under way in another thread, raise soon."""
