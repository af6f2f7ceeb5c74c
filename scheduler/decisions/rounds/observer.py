"""What is kept of a choice: the chosen row, its best rivals, and sentences about them.

Every figure is read from the table that decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.columns import SLOTS_USED, WAITS
from scheduler.decisions.kernel.rules.precedence import alike
from scheduler.decisions.rounds import words
from scheduler.decisions.rounds.candidates import COLUMNS, Candidates
from scheduler.decisions.rounds.counterfactual import Counterfactual
from scheduler.decisions.rounds.criteria import Criterion, QueueFigures, told_by
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, Traits, traits
from scheduler.decisions.rounds.run import Observer
from scheduler.decisions.rounds.words import PlaceFigures
from scheduler.decisions.state.entries import WAIT
from scheduler.decisions.state.plan import Action
from scheduler.domain.jobs import HIGHEST_PRIORITY
from scheduler.domain.records import Decision, Row
from scheduler.domain.units import counted, duration

RIVALS = 5
"""Rows kept beside the chosen one."""
PLACES = 2
"""Of these so many at most are other places of the chosen job."""
EXPLAINED = 4
"""A policy gives reasons for so many first choices of a round: for a learned one they take as long
as ten choices."""
LOOKED_AT = 256
"""Of so many more urgent jobs is said what they wait for."""


def observer(policy: Policy, mode: Mode = Mode.EASY) -> Observer:
    """An observer of one round: it keeps each chosen row, its best rivals and sentences.

    For the first choice of the round the sentences also tell what would have changed it.
    """
    asked = seen = 0
    figures: QueueFigures | None = None

    def observe(table: Candidates, scores: Floats, chosen: int, action: Action) -> Decision:
        nonlocal asked, seen, figures
        figures = figures or QueueFigures(table.world)
        own = traits(policy)
        places, others = _rivals(policy, table, scores, chosen)
        rows = _rows(table, scores, [chosen, *places, *others])
        rival = next(iter(sorted([*places[:1], *others[:1]], key=lambda row: -scores[row])), None)
        if others and places and scores[places[0]] == scores[chosen]:
            rival = others[0]  # the policy scores jobs, not places
        if own.reasons is not None and rival is not None and asked < EXPLAINED:
            asked += 1
            rows[0] = replace(rows[0], terms=own.reasons(table, chosen, rival))
        told = _Telling(own, figures, table, scores, chosen, rows[0])
        changes = None
        if not seen and chosen != WAIT:
            changes = Counterfactual(table.world, table.now, mode, policy)
        seen += 1
        for at, row in enumerate([*places, *others], 1):
            text = told.rival(row, next_job=row in others[:1])
            told_of = row in others[:1] or row in places
            if changes is not None and told_of and scores[row] >= scores[WAIT]:
                text += _change(changes, table, chosen, row)
            rows[at] = replace(rows[at], text=text)
        return Decision(
            time=table.now,
            job=rows[0].job,
            attempt=None,
            policy=policy.name,
            action=action.value,
            rows=len(table) - 1,
            chosen=rows[0],
            rivals=tuple(rows[1:]),
            reason=told.choice(policy, action, others),
        )

    return observe


class _Telling:
    """One choice in words."""

    def __init__(
        self,
        own: Traits,
        figures: QueueFigures,
        table: Candidates,
        scores: Floats,
        chosen: int,
        row: Row,
    ) -> None:
        self._own, self._figures, self._table, self._scores = own, figures, table, scores
        self._chosen, self._terms = chosen, row.terms
        self._slot = int(table.slot[chosen])
        self._criteria = tuple(own.criteria) or told_by(row.terms) or tuple(Criterion)
        self._here = _place(table, chosen)
        slot_rows = () if chosen == WAIT else table.world.rows_of(self._slot)
        mine = int(table.rows[chosen])
        others = Candidates(table.world, np.array([row for row in slot_rows if row != mine], int))
        self._elsewhere = [_place(others, at) for at in range(len(others))]

    def choice(self, policy: Policy, action: Action, others: Sequence[int]) -> str:
        """The sentence of the decision."""
        by = f"decided by {policy.name}"
        if action is Action.WAIT:
            waiting = f"keeps {counted(len(np.unique(self._table.slot)) - 1, 'job')} waiting"
            first = f"job {int(self._table.job[others[0]])} would be next" if others else ""
            return "; ".join(filter(None, (waiting, first, self._comment(), by)))
        what = {
            Action.START: f"starts on {self._here.name} ({self._here.figures()})",
            Action.BACKFILL: f"starts on {self._here.name} ({self._here.figures()}) beside a job "
            "with a reservation, which it does not delay",
            Action.RESERVE: f"is next for {self._here.name} ({self._here.figures()})",
        }[action]
        said = [
            ", ".join(self._merits(policy)),
            words.merits(self._here, self._elsewhere),
            self._more_urgent(policy.name),
            self._comment(),
            by,
        ]
        return f"{what}: {'; '.join(filter(None, said))}"

    def rival(self, row: int, *, next_job: bool) -> str:
        """What is said of another row: the next best place of the job, or another job."""
        table, slot = self._table, int(self._table.slot[row])
        place = _place(table, row)
        if slot == self._slot:
            return f"instead on {place.name}: {words.beside(place, self._here)}"
        job = int(table.job[row])
        if self._scores[row] < self._scores[WAIT]:
            return f"job {job} holds out for a better place than {place.name}"
        if self._chosen == WAIT:
            return f"job {job} on {place.name}" + " would be next" * next_job
        lead = f"job {job} would be next" if next_job else f"job {job} is behind it"
        criteria = self._criteria
        if self._scores[row] == self._scores[self._chosen]:
            criteria = (*criteria, Criterion.ARRIVAL)  # of equal scores the oldest job wins
        why = words.behind(table.world, criteria, self._slot, slot)
        if why:
            return f"{lead} on {place.name}: it {why}"
        against = words.behind(table.world, self._criteria, slot, self._slot)
        if against and not alike(table.world.handle, slot, self._slot):
            return f"{lead} on {place.name}, although job {int(table.job[self._chosen])} {against}"
        return f"{lead} on {place.name}: about equal"

    def _merits(self, policy: Policy) -> list[str]:
        wait = float(self._table.wait[self._chosen])
        if wait > self._own.starvation_s:
            limit = duration(self._own.starvation_s)
            return [f"has waited longer than {limit}, so it goes before all others"]
        strict = len(self._criteria) != 1
        said = words.standing(self._figures, self._criteria, self._slot, strict=strict)
        if not said:
            said = [f"best of {counted(self._figures.count, 'job')} in the order of {policy.name}"]
        if self._terms.get("correction", 0.0) > 0.0 > self._terms.get("base", 0.0):
            said.append("put first by what the policy has learned")
        return said

    def _more_urgent(self, policy: str) -> str:
        """What the waiting jobs of higher priority wait for; empty without one."""
        world = self._table.world
        used = world.count[SLOTS_USED]
        more = world.job_priority[:used] > world.job_priority[self._slot]
        urgent = np.flatnonzero((world.job_state[:used] == WAITS) & more)
        urgent = urgent[world.job_id.take(urgent) != 0]
        if not len(urgent):
            return ""
        verb = "waits" if len(urgent) == 1 else "wait"
        said = f"{counted(len(urgent), 'job')} of higher priority {verb}"
        if len(urgent) > LOOKED_AT:
            return said
        rows = np.flatnonzero(np.isin(self._table.slot, urgent))
        rivals = self._scores[rows] >= self._scores[WAIT]
        if (rivals & self._table.fits[rows]).any():
            if Criterion.PRIORITY in self._criteria:
                return f"{said} too: {policy} weighs more than priority"
            return f"{said} too: {policy} looks at priority only between equal jobs"
        if len(rows) and not rivals.any():
            return f"{said} for a better place"
        shapes = (world.shape_of(row) for slot in urgent for row in world.rows_of(int(slot)))
        pools = dict.fromkeys(world.pools[shape.pool].name for shape in shapes)
        return f"{said} for {words.both(list(pools))}"

    def _comment(self) -> str:
        """What the policy says of its choice."""
        comment = self._own.comment
        return "" if comment is None else comment(self._table, self._chosen)


def _change(changes: Counterfactual, table: Candidates, chosen: int, row: int) -> str:
    """What would have put another row first; empty if no priority or preference would have."""
    job = int(table.job[row])
    if job == int(table.job[chosen]):
        name = changes.preference(job, int(table.pool[row]), int(table.width[row]))
        return f"; chosen with preference {name}" if name else ""
    priority = changes.priority(job)
    if priority is None:
        return ""
    more = " or more" if priority < HIGHEST_PRIORITY else ""
    return f"; with priority {priority}{more} it would have been first"


def _rivals(
    policy: Policy, table: Candidates, scores: Floats, chosen: int
) -> tuple[list[int], list[int]]:
    """The next best places of the chosen job, and the next best jobs, each where it is best."""
    places: list[int] = []
    if chosen != WAIT:
        places = [row for row in table.rivals(chosen) if row != chosen and scores[row] > -np.inf]
    slot, others = int(table.slot[chosen]), dict[int, list[int]]()
    for row in _top(scores, table, slot, RIVALS):
        tied = others.setdefault(int(table.slot[row]), [])
        if not tied or scores[tied[0]] == scores[row]:
            tied.append(row)
    groups = [places, *list(others.values())[:RIVALS]]
    if any(len(group) > 1 for group in groups):
        flat = [row for group in groups for row in group]
        costs = dict(zip(flat, policy.costs(table.only(flat)), strict=True))
        groups = [sorted(group, key=lambda row: (-scores[row], costs[row])) for group in groups]
    places, best = groups[0], [group[0] for group in groups[1:]]
    places = places[: max(PLACES, RIVALS - len(best))]
    return places, best[: RIVALS - len(places)]


def _top(scores: Floats, table: Candidates, slot: int, jobs: int) -> list[int]:
    """Positions of the best scores of other jobs, best first, without WAIT and the impossible.

    Enough for `jobs` jobs if they are there.
    """
    possible = np.flatnonzero(np.isfinite(scores) & (table.slot != slot))
    possible = possible[possible != WAIT]
    most = jobs * int(table.world.job_count.max(initial=1))
    if len(possible) > most:
        possible = possible[np.argpartition(-scores[possible], most)[:most]]
    return [int(row) for row in possible[np.argsort(-scores[possible], kind="stable")]]


def _place(table: Candidates, at: int) -> PlaceFigures:
    pool = int(table.pool[at])
    if pool < 0:
        return PlaceFigures("", 0, 0.0, 0.0, 0.0)
    return PlaceFigures(
        table.world.pools[pool].name,
        int(table.width[at]),
        float(table.start_delay[at]),
        float(table.runtime[at]),
        float(table.dollars[at]),
    )


def _rows(table: Candidates, scores: Floats, positions: Sequence[int]) -> list[Row]:
    part = table.only(positions)
    columns = {name: getattr(part, name) for name in COLUMNS}
    return [
        Row(
            job=int(part.job[at]),
            pool=table.world.pools[int(part.pool[at])].name if positions[at] else "",
            width=int(part.width[at]),
            score=float(np.nan_to_num(scores[positions[at]], neginf=-1e300, posinf=1e300)),
            values={
                name: float(values[at])
                for name, values in columns.items()
                if np.isfinite(values[at])
            },
        )
        for at in range(len(positions))
    ]
