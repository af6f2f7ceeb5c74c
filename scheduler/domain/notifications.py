"""Who is told of what happens to a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.lifecycle import EventName


class Occasion(StrEnum):
    """What people are told of."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """An attempt vanished with its node or its process; another follows."""
    BUDGET = "budget"
    """`BUDGET_SHARE` of the job's budget is spent."""


BUDGET_SHARE = 0.9
ALL_OCCASIONS = tuple(Occasion)
OCCASIONS: Mapping[EventName, Occasion] = {
    EventName.SUCCEEDED: Occasion.SUCCEEDED,
    EventName.FAILED: Occasion.FAILED,
    EventName.CANCELLED: Occasion.CANCELLED,
    EventName.UNMET: Occasion.CANCELLED,
    EventName.LOST: Occasion.LOST,
}
"""Events of a job's history of which people are told."""


@dataclass(frozen=True, slots=True)
class Notify:
    """The addresses that hear of a job, and on which occasions."""

    to: tuple[str, ...] = ()
    """Addresses of webhooks (`https://…`) and of people (`ada@example.org`)."""
    on: tuple[Occasion, ...] = ALL_OCCASIONS

    def recipients(self, occasion: Occasion) -> tuple[str, ...]:
        """Who hears of it."""
        return self.to if occasion in self.on else ()


def without_path(address: str) -> str:
    """An address as everybody may see it: the path of a webhook often is a secret."""
    scheme, mark, rest = address.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0]}/…" if mark else address


def is_webhook(address: str) -> bool:
    """Whether an address is a webhook's, not a person's."""
    return "://" in address
