"""What `explain` says of a waiting job's project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from scheduler.decisions.state.usage import Standing
from scheduler.decisions.state.world import World
from scheduler.domain.units import counted, duration, money
from scheduler.service.projects.accounts import PERIODS, ProjectAccounts
from scheduler.service.projects.spending import period_end


def fair_share(
    accounts: ProjectAccounts, project: str, waiting: Iterable[str], world: World, now: float
) -> str:
    """How the project stands among those whose jobs wait; empty without another one."""
    others = sorted({*waiting} - {project})
    if not others or not accounts.fair:
        return ""
    own, *rest = accounts.standings([project, *others], now, world)
    rest = [each for each in rest if not _full(accounts, each.project, now)]
    before = [each for each in rest if each.factor > own.factor]
    text = (
        f"project {project} used {own.ratio:.1f} × its share lately, counting the next hour of "
        f"its jobs (half after {_days(accounts.half_life_s)}), so its jobs count {own.factor:.2g} ×"
    )
    return f"{text}; {_names(before)} first" if before else text


def _full(accounts: ProjectAccounts, project: str, now: float) -> bool:
    """Whether its quota lets no job of the project start."""
    return bool(over_quota(accounts, project, 1, 0.0, now)[0])


def _days(seconds: float) -> str:
    days = seconds / 86_400.0
    return f"{days:g} days" if days >= 2 else duration(seconds)


def _names(before: Sequence[Standing]) -> str:
    named = ", ".join(f"{each.project} ({each.factor:.2g} ×)" for each in before[:3])
    more = f" and {len(before) - 3} more" if len(before) > 3 else ""
    goes = "goes" if len(before) == 1 else "go"
    return f"{named}{more} {goes}"


def over_quota(
    accounts: ProjectAccounts, name: str, width: int, dollars: float, now: float
) -> tuple[str, float | None]:
    """Which hard limit keeps a job from starting, and until when; empty: none does.

    `width`, `dollars`: the least that a start would take.
    """
    project, holding = accounts.project(name), accounts.holding(name, now)
    most = project.hard.devices
    if most is not None and holding.devices + width > most:
        return f"project {name} uses {holding.devices} of its {counted(most, 'device')}", None
    for period, limit_name in PERIODS.items():
        limit = getattr(project.hard, limit_name)
        if limit is None or holding.spent[period] + holding.committed + dollars <= limit:
            continue
        text = f"project {name} has spent {money(holding.spent[period])}"
        if holding.committed:
            text += f" and runs jobs for {money(holding.committed)}"
        end = period_end(period, now)
        again = datetime.fromtimestamp(end, UTC)
        return f"{text} of its {money(limit)} a {period}, until {again:%Y-%m-%d %H:%M} UTC", end
    return "", None
