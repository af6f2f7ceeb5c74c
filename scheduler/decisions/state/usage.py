"""What projects have used and may use: fair share and quotas, the same in service and simulation.

Usage is device-seconds, weighed by what the device costs: a second of the most expensive device
counts 1. It decays: after each half-life it counts half, as in Slurm's `PriorityDecayHalfLife`
(SchedMD, "Multifactor Priority Plugin").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from types import MappingProxyType

import numpy as np

from scheduler.arrays import Floats, Ints
from scheduler.decisions.kernel.columns import LIMITED, NO_PROJECT, PROJECTS_USED, SHARED
from scheduler.decisions.kernel.rules.turns import AHEAD_S
from scheduler.decisions.state.entries import UNLIMITED
from scheduler.decisions.state.world import World

WEEK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one project is entitled to."""

    share: float = 1.0
    """Above 0; only ratios to the shares of other projects count."""
    devices: int | None = None
    """Devices at once; None: not limited."""


ONE_SHARE = Allowance()
"""Of a project about which nothing was said."""


@dataclass(frozen=True, slots=True)
class SharingRules:
    """How projects share a cluster."""

    allowances: Mapping[str, Allowance] = field(default_factory=lambda: MappingProxyType({}))
    """Of projects; others have one share and no limit."""
    half_life_s: float = WEEK_S
    """After so long, usage counts half."""
    fair: bool = True
    """Whether projects take turns; False: only quotas hold."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands among the projects that have used anything or have jobs."""

    project: str
    share: float
    used: float
    """Decayed usage: device-seconds of the most expensive device."""
    ratio: float
    """Its part of all usage ÷ its part of all shares: 1 is its fair share."""

    @property
    def factor(self) -> float:
        """2^(-ratio): 1 without usage, ½ at its fair share; the greatest factor goes first."""
        return float(2.0**-self.ratio)


@dataclass(slots=True)
class _Account:
    """The usage of one project."""

    used: float = 0.0
    """As it was at `at`."""
    at: float = 0.0
    rate: float = 0.0
    """What its attempts use per second."""
    started: float = -inf
    """When one of its attempts last began."""


@dataclass(slots=True)
class ProjectUsage:
    """The accounts of all projects; times in seconds of one clock."""

    rules: SharingRules = field(default_factory=SharingRules)
    _accounts: dict[str, _Account] = field(default_factory=dict)
    _running: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Job → its project, and what its attempt uses per second."""

    def begin(self, job: int, project: str, rate: float, now: float) -> None:
        """An attempt gets its devices; `rate`: devices × `charges` of their pool."""
        self.end(job, now)
        account = self._settled(project, now)
        account.used += rate * (account.at - now)  # it began before the account was looked at
        account.rate, account.started = account.rate + rate, max(account.started, now)
        self._running[job] = project, rate

    def end(self, job: int, now: float) -> None:
        """The job's attempt frees its devices; nothing happens if it has none."""
        project, rate = self._running.pop(job, ("", 0.0))
        if project:
            account = self._settled(project, now)
            account.rate = max(0.0, account.rate - rate)

    def add(self, project: str, used: float, at: float, now: float) -> None:
        """Take over what a project used at a moment of the past."""
        self._settled(project, now).used += used * self._kept(now - at)

    def shift(self, seconds: float) -> None:
        """The clock was set forward (or back)."""
        for account in self._accounts.values():
            account.at += seconds
            account.started += seconds

    @property
    def known(self) -> Iterable[str]:
        """The projects that have used anything."""
        return self._accounts

    def allowance(self, project: str) -> Allowance:
        """What a project is entitled to."""
        return self.rules.allowances.get(project, ONE_SHARE)

    def used(self, project: str, now: float) -> float:
        """Decayed usage until now."""
        account = self._accounts.get(project)
        if account is None:
            return 0.0
        passed = max(0.0, now - account.at)
        kept = self._kept(passed)
        # The integral of a constant rate, each moment of which decays until now.
        return account.used * kept + account.rate * (1.0 - kept) * self.rules.half_life_s / log(2.0)

    def standings(
        self, projects: Sequence[str], now: float, instead: Mapping[str, float] | None = None
    ) -> list[Standing]:
        """How these projects stand among each other and all that have used anything.

        `instead`: usage that counts in place of that until now, by project.
        """
        known = {*projects, *self._accounts}
        used = {project: self.used(project, now) for project in known} | dict(instead or {})
        known = {*used}
        shares = {project: self.allowance(project).share for project in known}
        whole, all_shares = sum(used.values()), sum(shares.values())
        return [
            Standing(
                project,
                shares[project],
                used[project],
                (used[project] / whole) / (shares[project] / all_shares) if whole else 0.0,
            )
            for project in projects
        ]

    def tell(self, world: World, now: float, dollars: Mapping[str, float] | None = None) -> None:
        """Write into a world what its next round must know of its projects.

        `dollars`: what projects may still begin to spend; others are not limited.
        """
        names, left = list(world.projects), dollars or {}
        allowances = [self.allowance(name) for name in names]
        limited = any(each.devices is not None for each in allowances) or bool(left)
        world.state[SHARED] = self.rules.fair and len(names) > 1
        world.state[LIMITED] = limited
        if not world.state[SHARED] and not limited:
            return
        assert len(names) == world.count[PROJECTS_USED]
        attempts, projects = self._attempts(world)
        world.attempt_project[attempts] = projects
        ahead = np.clip(world.attempt_end[attempts] - now, 0.0, AHEAD_S)
        weights = world.attempt_width[attempts] * world.pool_charge[world.attempt_pool[attempts]]
        soon: Floats = np.zeros(len(names))
        np.add.at(soon, projects[projects >= 0], (ahead * weights)[projects >= 0])
        for at, (name, allowance) in enumerate(zip(names, allowances, strict=True)):
            account = self._accounts.get(name)
            world.project_share[at] = allowance.share
            world.project_used[at] = self.used(name, now) + soon[at]
            world.project_started[at] = -inf if account is None else account.started
            most = allowance.devices
            world.project_most[at] = UNLIMITED if most is None else most
            world.project_dollars[at] = left.get(name, inf)

    @staticmethod
    def told(world: World) -> dict[str, float]:
        """Usage by project as a round over this world counts it."""
        return {name: float(world.project_used[at]) for name, at in world.projects.items()}

    def _attempts(self, world: World) -> tuple[Ints, Ints]:
        """(n,) entries of attempts that run in a world, and their projects."""
        attempts = np.flatnonzero(world.attempt_job)
        projects = [
            world.projects.get(self._running.get(job, ("", 0.0))[0], NO_PROJECT)
            for job in world.attempt_job[attempts].tolist()
        ]
        return attempts, np.array(projects, dtype=np.int64)

    def _settled(self, project: str, now: float) -> _Account:
        account = self._accounts.setdefault(project, _Account(at=now))
        account.used, account.at = self.used(project, now), max(account.at, now)
        return account

    def _kept(self, seconds: float) -> float:
        return exp(-max(0.0, seconds) * log(2.0) / self.rules.half_life_s)
