"""What projects use and have used: the figures behind fair share and quotas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from scheduler.decisions.state.allocation import charges
from scheduler.decisions.state.usage import (
    WEEK_S,
    Allowance,
    ProjectUsage,
    SharingRules,
    Standing,
)
from scheduler.decisions.state.world import World
from scheduler.domain.groups.projects import Project
from scheduler.domain.jobs import Attempt
from scheduler.domain.pools import Pool
from scheduler.service.projects.book import ProjectBook
from scheduler.service.projects.spending import DAY, MONTH, Spending, period_end
from scheduler.store.base import Store

PERIODS = {DAY: "dollars_per_day", MONTH: "dollars_per_month"}
"""Period → its limit in a `Quota`."""
HALF_LIVES = 8
"""Usage of so many half-lives is remembered over a restart; older usage counts less than 1 %."""
SLICES = 8
"""Sums of the history per half-life."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a project holds and has spent now."""

    devices: int
    committed: float
    """Dollars that its running attempts will cost, by estimate."""
    spent: dict[str, float] = field(default_factory=dict)
    """Period → dollars of ended attempts."""


class ProjectAccounts:
    """The accounts of all projects. The owner holds a lock around every call."""

    def __init__(
        self, store: Store, book: ProjectBook, half_life_s: float = WEEK_S, *, fair: bool = True
    ) -> None:
        """`fair`: whether projects take turns; False: only quotas hold."""
        self.book, self._store = book, store
        self._half_life_s, self._fair = half_life_s, fair
        self._usage = ProjectUsage()
        self._spending = Spending(store)
        self._running: dict[int, tuple[str, Attempt]] = {}
        self._projects: dict[str, Project] = {}
        self.changed()

    def changed(self) -> None:
        """Somebody has changed what projects are entitled to."""
        self._projects = self.book.all()
        allowances = {
            name: Allowance(each.share, each.hard.devices) for name, each in self._projects.items()
        }
        self._usage.rules = SharingRules(allowances, self._half_life_s, self._fair)

    def load(self, pools: Sequence[Pool], now: float) -> None:
        """Take over the usage of ended attempts from the store."""
        top = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
        step = self._half_life_s / SLICES
        for number in range(HALF_LIVES * SLICES):
            end = now - number * step
            until = None if number == 0 else end
            for cost in self._store.costs("project", since=end - step, until=until):
                used = cost.dollars * 3600.0 / top if top > 0.0 else cost.device_seconds
                self._usage.add(cost.group, used, end - step / 2, now)

    def reload(self, pools: Sequence[Pool], now: float) -> None:
        """Read everything again: another service writes the store."""
        running = list(self._running.values())
        self._running.clear()
        self._usage, self._spending = ProjectUsage(), Spending(self._store)
        self.changed()
        self.load(pools, now)
        for project, attempt in running:
            self.begin(project, attempt, pools)

    def begin(self, project: str, attempt: Attempt, pools: Sequence[Pool]) -> None:
        """An attempt holds devices, or has changed."""
        if attempt.job in self._running:
            self._running[attempt.job] = project, attempt
            return
        by_name = dict(zip((pool.name for pool in pools), charges(pools), strict=True))
        rate = attempt.width * by_name.get(attempt.pool, 1.0)
        self._usage.begin(attempt.job, project, rate, attempt.placed_at)
        self._running[attempt.job] = project, attempt

    def end(self, job: int, ended: Attempt | None, now: float) -> None:
        """The job's attempt has freed its devices; None: it is read again from the store."""
        project, _ = self._running.pop(job, ("", None))
        self._usage.end(job, now if ended is None else ended.finished_at or now)
        if project and ended is not None:
            self._spending.ended(project, ended.dollars or 0.0, ended.finished_at or now)

    def shift(self, seconds: float) -> None:
        """The clock was set forward (or back)."""
        self._usage.shift(seconds)

    def tell(self, world: World, now: float) -> None:
        """Write into a world what its next round must know of projects."""
        left = {
            name: self.dollars_left(project, now)
            for name, project in self._projects.items()
            if any(getattr(project.hard, limit) is not None for limit in PERIODS.values())
        }
        self._usage.tell(world, now, left)

    def project(self, name: str) -> Project:
        """A project as it was set up, or with one share and no limit."""
        return self._projects.get(name) or Project(name)

    def names(self) -> set[str]:
        """Projects that were set up, hold devices or have used any."""
        return {*self._projects, *(name for name, _ in self._running.values()), *self._usage.known}

    def standings(
        self, projects: Iterable[str], now: float, world: World | None = None
    ) -> list[Standing]:
        """How projects stand among each other and all that have used anything.

        `world`: count what it was told, with what running attempts will use soon.
        """
        instead = None if world is None else self._usage.told(world)
        return self._usage.standings(list(projects), now, instead)

    def holding(self, project: str, now: float) -> Holding:
        """What a project holds and has spent."""
        mine = [attempt for owner, attempt in self._running.values() if owner == project]
        return Holding(
            sum(attempt.width for attempt in mine),
            sum(attempt.estimate.dollars for attempt in mine),
            {period: self._spending.of(project, period, now) for period in PERIODS},
        )

    def dollars_left(self, project: Project, now: float) -> float:
        """Dollars that a project may still begin to spend; inf: not limited."""
        holding, left = self.holding(project.name, now), inf
        for period, name in PERIODS.items():
            limit = getattr(project.hard, name)
            if limit is not None:
                left = min(left, limit - holding.spent[period] - holding.committed)
        return left

    def next_period(self, projects: Iterable[str], now: float) -> float:
        """When the next period of a hard dollar limit of these projects begins; inf: of none."""
        ends = [
            period_end(period, now)
            for name in set(projects)
            for period, limit in PERIODS.items()
            if getattr(self.project(name).hard, limit) is not None
        ]
        return min(ends, default=inf)

    @property
    def fair(self) -> bool:
        """Whether projects take turns."""
        return self._fair

    @property
    def half_life_s(self) -> float:
        """After so long, usage counts half."""
        return self._half_life_s
