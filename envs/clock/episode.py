"""The columns of one simulation in progress, and its world."""

from __future__ import annotations

import numpy as np

from envs.clock.kernel import columns, learners, metering, nodes, steps
from envs.clock.kernel.columns import AMORTISED, NEVER, UP, EpisodeColumns
from envs.clock.kernel.events import ARRIVE, push_urgent, replace_arrival
from envs.clock.trace import Trace
from scheduler.compilation.columns import columns_of
from scheduler.compilation.handles import handle_of
from scheduler.decisions.features.encoder import WaitingRule
from scheduler.decisions.kernel.columns import RULE
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.scorer import Scorer
from scheduler.decisions.state.allocation import doubled

_EVENTS = ("event_time", "event_order", "event_kind", "event_subject", "event_stamp")
_HELD = ("held_job", "held_row", "held_action", "held_start", "held_end", "held_part")
_PARTS = ("part_node", "part_devices")


class CompiledEpisode(EpisodeColumns):
    """One simulation of a trace, at time 0 at first."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.world = trace.world()
        self._handle: CompiledEpisode | None = None
        self._allocate()
        self._open()

    @property
    def handle(self) -> CompiledEpisode:
        """What compiled functions take; valid until a group of columns grows."""
        if self._handle is None:
            self._handle = handle_of(self, EpisodeColumns)
        return self._handle

    def advance(self) -> bool:
        """Run until something may be decided; False at the end."""
        while True:
            code = steps.advance(self.world.handle, self.handle, self.trace.handle)
            if code in (steps.DECIDE, steps.END):
                return code == steps.DECIDE
            self._grow(code)

    def play(self, scorer: Scorer, mode: Mode, starvation_s: float = np.inf) -> bool:
        """Let a compiled scorer decide everything; False if it failed in a round that is open."""
        self.world.keep_apart()
        while True:
            code = steps.play(
                self.world.handle,
                self.handle,
                self.trace.handle,
                mode.code,
                starvation_s,
                *scorer,
            )
            if code in (steps.END, steps.UNSCORED):
                return code == steps.END
            self._grow(code)

    def copy(self, trace: Trace | None = None) -> CompiledEpisode:
        """An independent copy, between two rounds or in one, to play out what may come.

        `trace`: other jobs that come from now on. Those that have arrived are the same, and so is
        the cluster. Raises `ValueError` if they are not, or if its rule learns from coming jobs.
        """
        twin = object.__new__(CompiledEpisode)
        twin.trace, twin.world, twin._handle = trace or self.trace, self.world.copy(), None
        twin._allocate()
        for name in columns_of(EpisodeColumns):
            own, its = getattr(self, name), getattr(twin, name)
            if own.shape != its.shape and name.partition("_")[0] in ("event", "held", "part"):
                setattr(twin, name, own.copy())
            elif not name.startswith("enter"):
                kept = min(own.shape[-1], its.shape[-1])
                its[..., :kept] = own[..., :kept]
        if trace is not None:
            twin._await(self.trace)
        return twin

    def play_out(self, scorer: Scorer, mode: Mode, horizon_s: float = np.inf) -> bool:
        """Let a compiled scorer decide from here to the horizon; whether its scores are numbers.

        An open round (`begin_round`, then choices of the caller) goes on first. `horizon_s`:
        seconds from the start of the workload. What has accrued and is to come then is in
        `figure`, if the trace meters.
        """
        self.world.keep_apart()
        while True:
            code = steps.play_out(
                self.world.handle, self.handle, self.trace.handle, mode.code, horizon_s, *scorer
            )
            if code in (steps.DECIDE, steps.END, steps.UNSCORED):
                return code != steps.UNSCORED
            self._grow(code)

    def _await(self, before: Trace) -> None:
        """Let the jobs of the new trace come from now on."""
        trace, arrived = self.trace, int(self.count[columns.ARRIVED])
        same = all(
            np.array_equal(getattr(before, name)[:arrived], getattr(trace, name)[:arrived])
            for name in ("job_id", "job_submitted", "job_count")
        )
        delay_s = np.inf
        if arrived < len(trace.job_id):
            delay_s = float(trace.job_submitted[arrived] - self.figure[columns.TIME])
        if not same or before.spec != trace.spec or delay_s < 0 or self.world.state[RULE]:
            raise ValueError("the trace does not go on from here")
        self.world.renumber_shapes(trace.shapes)
        subject = arrived if delay_s < np.inf else NEVER
        replace_arrival(self.handle, delay_s, subject)

    def begin_round(self, mode: Mode) -> Round:
        """Open a round, with the promises that the last one made."""
        self.world.keep_apart()
        steps.begin_round(self.world.handle, self.handle, mode.code)
        self.count[columns.DECIDING] = 1
        return Round.opened(self.world, mode)

    def commit(self, mode: Mode) -> None:
        """Carry out what the world's round has decided."""
        steps.commit(self.world.handle, self.handle, self.trace.handle, mode.code)
        self.count[columns.DECIDING] = 0

    def next_choice(self, mode: Mode, rows: int, preference: float, waiting: WaitingRule) -> bool:
        """Run to the next choice between several rows; False at the end.

        It is encoded in the world: `rows` rows at most, at the cluster's `preference`.
        """
        self.world.reserve_shown(rows)
        self.world.keep_apart()
        handles = self.trace.handle, mode.code, rows, preference, waiting.code
        while True:
            code = learners.next_choice(self.world.handle, self.handle, *handles)
            if code in (steps.DECIDE, steps.END):
                return code == steps.DECIDE
            self._grow(code)
            handles = self.trace.handle, *handles[1:]

    def _grow(self, code: int) -> None:
        """Make room for what was lacking."""
        if code == steps.MORE_QUEUE:
            self.world.grow_queue()
        elif code == steps.MORE_FAILURES:
            self.trace.draw_attempts()
        elif code == steps.MORE_LIVES:
            self.trace.draw_lives()
        elif code == steps.MORE_EVENTS:
            self._double(_EVENTS)
        elif code == steps.MORE_HELD:
            self._double(_HELD + _PARTS)

    def _double(self, names: tuple[str, ...]) -> None:
        for name in names:
            setattr(self, name, doubled(getattr(self, name)))
        self._handle = None

    def _allocate(self) -> None:
        trace, world = self.trace, self.world
        devices = len(world.attempt_job)
        sizes = {
            "count": 24,
            "figure": 16,
            "event": 5 * devices + 32,
            "job": len(trace.job_id),
            "row": len(trace.row_pool),
            "user": 1 + int(trace.job_user.max(initial=0)),
            "kind": 1 + int(trace.job_kind.max(initial=0)),
            "node": len(world.fit_node),
            "pool": len(trace.pool_min_nodes),
            "committed": len(trace.pool_min_nodes),
            "held": 2 * devices + 32,
            "part": 2 * devices + 32,
        }
        leads = {"user_last": 2, "kind_last": trace.memory}
        for name, kind in columns_of(EpisodeColumns).items():
            size = sizes.get(name.partition("_")[0], 0)
            shape = (leads[name], size) if name in leads else (size,)
            if not name.startswith("enter"):
                setattr(self, name, np.zeros(shape, dtype=kind.dtype))
        self.enter_numbers = np.zeros(5)
        self.enter_figures = np.zeros((3, int(trace.job_count.max(initial=1))))
        self.job_started[:] = self.job_ended[:] = np.nan
        self.job_row[:] = self.job_entry[:] = NEVER

    def _open(self) -> None:
        """What happens at time 0: devices that cost always, nodes that are up, the first job."""
        trace, world = self.trace, self.world
        for index, pool in enumerate(world.pools):
            up = not trace.pool_changes[index]
            how = trace.pool_billing[index]
            paid = how == AMORTISED or (how == UP and up)
            price = pool.count * pool.dollars_per_device_hour if paid else 0.0
            watts = pool.count * float(trace.pool_idle_watts[index]) if up else 0.0
            if trace.setting[columns.METERS] and (price or watts):
                metering.draw_power(self.handle, float(price), float(watts))
        for index in np.flatnonzero(trace.pool_changes).tolist():
            first = int(world.pool_first_node[index])
            for at in range(first, first + int(trace.pool_min_nodes[index])):
                nodes.switch_on(world.handle, self.handle, trace.handle, index, at, 0.0)
        if len(trace.job_id):
            push_urgent(self.handle, ARRIVE, 0, 0)
