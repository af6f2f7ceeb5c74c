"""One round: choices at one instant until nothing more can be chosen.

Time stands still inside a round. `table` shows the candidates, and `take` applies one choice:
environments call them. `run.decide` lets a policy choose until the round is over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scheduler.decisions.kernel import choices, choosing
from scheduler.decisions.kernel.columns import (
    HELD,
    NOW,
    OVER,
    PLACED,
    PROMISED,
    STARVATION_S,
)
from scheduler.decisions.kernel.rules import allowed as rules
from scheduler.decisions.kernel.rules import precedence, turns
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.scorer import Scorer
from scheduler.decisions.state.plan import Action, Placement, Plan, Reservation
from scheduler.decisions.state.world import World
from scheduler.domain.records import Decision

ACTIONS = (Action.START, Action.BACKFILL, Action.RESERVE, Action.WAIT)
"""In the order of their codes in `kernel.choices`."""


class Round:
    """Applies choices to `world` (which it changes) until the instant is used up.

    `committed`: in a mode that keeps promises the reservations of the round before. They must be
    taken first, one after another. What a round has started runs in `world` and has to be removed
    from its queue by the owner; what it has reserved waits again in the next round.
    """

    def __init__(
        self, world: World, now: float, mode: Mode, committed: Sequence[Reservation] = ()
    ) -> None:
        self.world, self.now, self.mode = world, now, mode
        choices.open_round(world.handle, now, mode.code)
        world.figure[STARVATION_S] = np.inf
        if committed and mode.keeps_promises:
            for held in committed:
                index = int(world.count[PROMISED])
                world.promised_row[index] = self._row_of(held)
                world.promised_start[index] = held.start
                world.count[PROMISED] = index + 1

    @classmethod
    def opened(cls, world: World, mode: Mode) -> Round:
        """The round that is open in a world."""
        round_ = object.__new__(cls)
        round_.world, round_.now, round_.mode = world, float(world.figure[NOW]), mode
        return round_

    def rescue(self, after_s: float) -> None:
        """Let all jobs that have waited longer be reserved even in `Mode.GREEDY`.

        Before the first choice only.
        """
        self.world.figure[STARVATION_S] = after_s

    def table(self) -> Candidates | None:
        """The candidates now; None when nothing but WAIT is left.

        While a promised row must be taken, it is the only one beside WAIT, and so is the oldest
        job's under `Mode.COMMIT_FCFS` while a pool is blocked: then the policy has no choice.
        """
        world = self.world
        if world.state[OVER]:
            return None
        rows = np.empty(len(world.row_slot), dtype=np.int64)
        if self.free:
            count = turns.candidate_rows(world.handle, rows)
        else:
            rows[0], rows[1] = 0, rules.forced_row(world.handle)
            count = 2 if rows[1] else 1
        if count == 1:
            world.state[OVER] = 1
            return None
        return Candidates(world, rows[:count])

    @property
    def free(self) -> bool:
        """Whether the policy has a choice now."""
        return rules.free_to_choose(self.world.handle)

    def choose(self, scorer: Scorer) -> int:
        """The row that a compiled scorer chooses, or a negative code of `kernel.choosing`."""
        self.world.reserve_shown(scorer.rows)
        return choosing.choose(self.world.handle, *scorer)

    def play(self, scorer: Scorer) -> bool:
        """Let a compiled scorer choose until the round is over; False: its scores are no numbers.

        What it has chosen until then stays chosen.
        """
        self.world.reserve_shown(scorer.rows)
        return choosing.play(self.world.handle, *scorer) != choosing.INVALID

    def preceding(self, row: int, *, heed: bool = False) -> int:
        """The same placement of the job that goes first among equals: `kernel.rules.precedence`."""
        return precedence.preceding(self.world.handle, row, heed)

    def outcome(self, row: int) -> Action:
        """What `take` would do with a row, without doing it. Raises `ValueError` as `take` does."""
        rules.refresh_rules(self.world.handle)
        return self._action(choices.outcome(self.world.handle, row), row)

    def take(self, row: int) -> Action:
        """Apply the choice of a row of the *world* (`table.rows[position]`).

        Raises `ValueError` if that row may not be chosen now.
        """
        return self._action(choices.take(self.world.handle, row), row)

    def plan(self, policy: str = "", decisions: tuple[Decision, ...] = ()) -> Plan:
        """What has been decided so far."""
        placed = range(self.world.count[PLACED])
        held = self.world.held_pool[: self.world.count[HELD]].tolist()
        return Plan(
            now=self.now,
            policy=policy,
            placements=tuple(map(self._placement, placed)),
            reservations=tuple(map(self._reservation, held)),
            decisions=decisions,
        )

    def _action(self, code: int, row: int) -> Action:
        if code == choices.REFUSED:
            raise ValueError(f"row {row} may not be chosen now")
        return ACTIONS[code]

    def _row_of(self, held: Reservation) -> int:
        """The row of a reservation; 0 if its job has left or changed.

        Estimates of memory may have changed since: of several rows, one with the same is taken.
        """
        slot = self.world.slot_of(held.job)
        found = 0
        for row in () if slot is None else self.world.rows_of(slot):
            shape = self.world.shape_of(row)
            if (shape.pool, shape.width, shape.memory) == (held.pool, held.width, held.memory):
                return row
            if not found and (shape.pool, shape.width) == (held.pool, held.width):
                found = row
        return found

    def _placement(self, index: int) -> Placement:
        world = self.world
        row = int(world.placed_row[index])
        attempt = world.attempt(int(world.placed_attempt[index]))
        return Placement(
            job=attempt.job,
            pool=attempt.pool,
            width=attempt.width,
            nodes=attempt.nodes,
            memory=attempt.memory,
            runtime_s=float(world.row_runtime[row]),
            dollars=float(world.row_dollars[row]),
            joules=float(world.row_joules[row]),
            action=ACTIONS[world.placed_action[index]],
        )

    def _reservation(self, pool: int) -> Reservation:
        world = self.world
        row = int(world.pool_held[pool])
        shape = world.shape_of(row)
        return Reservation(
            job=int(world.job_id[world.row_slot[row]]),
            pool=pool,
            width=shape.width,
            memory=shape.memory,
            start=choices.reserved_start(world.handle, pool),
        )
