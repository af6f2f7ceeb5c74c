"""Figures as people read them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.domain.jobs import ASSUMED
from scheduler.domain.units import money, unknown

if TYPE_CHECKING:
    from api.schemas import LeaderOut, PolicyOut

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def escaped(text: str) -> str:
    r"""Return the text with control characters shown as `\x1b`, so that no terminal obeys them.

    Tabs and line ends stay.
    """
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def seconds(value: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`; `–` for None or never."""
    if value is None or not math.isfinite(value):
        return "–"
    minutes, rest = divmod(round(value), 60)
    hours, minutes_over = divmod(minutes, 60)
    if value < 9.95:
        return f"{value:.1f} s"
    if minutes < 1:
        return f"{rest} s"
    if hours < 1:
        return f"{minutes} min {rest:02d} s"
    if hours < 48:
        return f"{hours} h {minutes_over:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def estimated(runtime_s: float, source: str) -> str:
    """`5 min 00 s (history)`; of what is not known `unknown, 5 min 00 s assumed`."""
    return unknown(runtime_s) if source == ASSUMED else f"{seconds(runtime_s)} ({source})"


def moment(value: datetime | None, now: datetime | None = None) -> str:
    """Local time: `14:02:05` today, else `2026-03-01 14:02`; `–` for None."""
    if value is None:
        return "–"
    time = value.astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    return f"{time:%H:%M:%S}" if time.date() == today else f"{time:%Y-%m-%d %H:%M}"


def dollars(value: float | None) -> str:
    """As sentences write them: `$12.30`, `$0.0042`; `–` for None or never."""
    return "–" if value is None or not math.isfinite(value) else money(value)


def joules(value: float | None) -> str:
    """`850 J`, `12.4 kJ`, `3.20 MJ`."""
    if value is None or not math.isfinite(value):
        return "–"
    for limit, unit in ((1e9, "GJ"), (1e6, "MJ"), (1e3, "kJ")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g} J"


def size(value: float | None) -> str:
    """Bytes: `512 B`, `3.2 MiB`."""
    if value is None:
        return "–"
    for limit, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def share(value: float | None) -> str:
    """`97.2 %`."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.1f} %"


def regime(utilisation: float, mean: float, most: float, waiting: float) -> str:
    """How busy the cluster was that a result holds for: shares, jobs in the queue."""
    return (
        f"utilisation {share(utilisation)}, {mean:.1f} jobs waiting on average and {most:.0f} at "
        f"most, {share(waiting)} of the latency is waiting"
    )


def decides(policy: PolicyOut) -> str:
    """How the active policy decides: its mode, if it has one, and the preference."""
    how = "it preempts" if policy.preempts else f"mode {policy.mode}"
    return f"{how}, preference {policy.preference:g}"


def leads(leader: LeaderOut) -> str:
    """Who leads, of the services that share a database."""
    where = leader.address or leader.holder
    if not leader.present:
        return f"no service leads: the lease of {where} (epoch {leader.epoch}) has ended"
    if leader.follows:
        return f"{where} leads (epoch {leader.epoch}); this service follows"
    return f"this service leads (epoch {leader.epoch})"
