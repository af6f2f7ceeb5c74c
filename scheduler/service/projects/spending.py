"""What projects have spent today and this month (UTC), by the ends of attempts."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from scheduler.store.base import Store

DAY, MONTH = "day", "month"


def period_start(period: str, now: float) -> float:
    """Unix seconds at which the day or month of `now` began."""
    moment = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (moment.replace(day=1) if period == MONTH else moment).timestamp()


def period_end(period: str, now: float) -> float:
    """Unix seconds at which the next day or month begins."""
    start = datetime.fromtimestamp(period_start(period, now), UTC)
    if period == DAY:
        return (start + timedelta(days=1)).timestamp()
    return (start + timedelta(days=32)).replace(day=1).timestamp()


class Spending:
    """Dollars of ended attempts, by project. The owner holds a lock around every call."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since: dict[str, float] = {}
        self._spent = {DAY: defaultdict[str, float](float), MONTH: defaultdict[str, float](float)}

    def of(self, project: str, period: str, now: float) -> float:
        """Dollars that a project has spent since the beginning of the period."""
        self._refresh(period, now)
        return self._spent[period][project]

    def ended(self, project: str, dollars: float, at: float) -> None:
        """An attempt that was stored just now has ended."""
        for period, spent in self._spent.items():
            if self._since.get(period, at + 1.0) <= at:
                spent[project] += dollars

    def _refresh(self, period: str, now: float) -> None:
        start = period_start(period, now)
        if self._since.get(period) != start:
            costs = self._store.costs("project", since=start)
            found = {each.group: each.dollars for each in costs}
            self._spent[period] = defaultdict[str, float](float, found)
            self._since[period] = start
