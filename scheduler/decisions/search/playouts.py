"""Plays candidates of one choice out on the same sampled futures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scheduler.arrays import Ints
from scheduler.compilation.handles import handle_of
from scheduler.decisions.kernel import wgc
from scheduler.decisions.kernel.choosing import KIND, LEARNED_INDEX, ORDER, ORDERED, WGC
from scheduler.decisions.kernel.columns import LIVE, MODE, NOW, PLACED, SLOTS_USED
from scheduler.decisions.kernel.learned.job_index import BY_WGC
from scheduler.decisions.kernel.playouts import columns, search
from scheduler.decisions.kernel.playouts.columns import PlayoutColumns
from scheduler.decisions.rounds.scorer import Scorer
from scheduler.decisions.search.arrivals import ArrivalHistory, Lately
from scheduler.decisions.search.result import SearchResult, best_of
from scheduler.decisions.search.settings import PlayoutObjective, SearchSettings
from scheduler.decisions.state.scratch_world import ScratchWorld
from scheduler.decisions.state.world import World

_NEAR = 0.05
"""Share of all arrivals at which a future may begin."""
_ALWAYS = 1e300
"""A regret that no row has."""


class Playouts(PlayoutColumns):
    """The memory of searches, made once for many choices.

    One thread at a time may use it. `arrivals`: what futures are drawn from, as runs of consecutive
    arrivals (circular block bootstrap: Politis and Romano, "A circular block-resampling procedure
    for stationary data", 1992). A future begins where arrivals had been about as frequent as lately
    (nearest neighbours: Lall and Sharma, "A nearest neighbor bootstrap for resampling hydrologic
    time series", 1996). Runtimes of waiting and coming jobs are estimates times ratios that
    arrivals have had; what runs ends when it is expected to.
    """

    def __init__(
        self,
        scorer: Scorer,
        arrivals: ArrivalHistory,
        settings: SearchSettings,
        objective: PlayoutObjective,
        naming: Scorer | None = None,
    ) -> None:
        """`naming`: the scorer whose order names the candidates; None: the scorer's own.

        Raises `ValueError` if both have weights, of which there is room for one.
        """
        if naming is not None and naming.weights is not scorer.weights:
            if scorer.codes[KIND] not in (ORDERED, WGC):
                raise ValueError("only a textbook order or wgc plays out what another names")
            scorer = scorer._replace(weights=naming.weights)
        self.scorer, self._eager = scorer, _without_waiting(naming or scorer)
        self.arrivals, self.settings, self.objective = arrivals, settings, objective
        self._uncertain = bool((arrivals.ratio != 1.0).any())
        spans = arrivals.spans()
        self._by_span = np.argsort(spans, kind="stable")
        self._spans = spans[self._by_span]
        self._scratch = ScratchWorld(arrivals.shapes)
        self._handle: PlayoutColumns | None = None
        self._sizes: tuple[int, ...] = ()
        self._allocate_fixed()

    def search(
        self,
        world: World,
        draws: np.random.Generator,
        in_time: Callable[[], bool] | None = None,
        lately: Lately | None = None,
    ) -> SearchResult | None:
        """Try candidates for the choice that the round of `world` is at; None: there is but one.

        `world` is not changed, but may get larger columns. `in_time`: asked before each future;
        once it says no, the futures played until then decide. `lately`: None if it is not known.
        """
        settings = self.settings
        longest = int(self.arrivals.count.max())
        copy = self._scratch.renew(world, settings.length, settings.length * longest)
        copy.reserve_shown(max(self.scorer.rows, self._eager.rows))
        self._allocate(copy)
        self._draw(copy, draws, lately)
        scorers = (*self.scorer, *self._eager[:2])
        at_once = settings.futures if in_time is None else 1
        count = played = 0
        while played < settings.futures and (in_time is None or in_time()):
            count = search.search(copy.handle, self.handle, played, played + at_once, *scorers)
            if count < 2:
                return None
            played += at_once
        if not played:
            return None
        values, rows = self.value[:count, :played].copy(), self.row[:count].copy()
        return SearchResult(
            now=float(world.figure[NOW]),
            rows=rows,
            jobs=world.job_id[world.row_slot[rows]],
            values=values,
            best=best_of(values, settings.margin),
            objective=self.objective,
        )

    def starts(self, lately: Lately | None) -> Ints:
        """Where futures may begin: where the last arrivals took about as long."""
        if lately is None:
            return np.arange(len(self.arrivals))
        count = len(self._by_span)
        near = max(min(count, self.settings.futures), int(_NEAR * count))
        first = int(np.searchsorted(self._spans, lately.span_s)) - near // 2
        first = max(0, min(first, count - near))
        starts = self._by_span[first : first + near]
        longer = starts[self.arrivals.gap[starts] > lately.elapsed_s]
        return longer if len(longer) else starts

    @property
    def handle(self) -> PlayoutColumns:
        """What compiled functions take; valid until the world's columns grow."""
        if self._handle is None:
            self._handle = handle_of(self, PlayoutColumns)
        return self._handle

    def _allocate_fixed(self) -> None:
        arrivals, settings, objective = self.arrivals, self.settings, self.objective
        self.number = np.zeros(16, dtype=np.int64)
        self.number[columns.JOBS] = settings.jobs
        self.number[columns.PLACEMENTS] = settings.placements
        self.number[columns.EVERY_EVENT] = settings.every_event
        self.number[columns.MOST_ROUNDS] = settings.rounds
        self.number[columns.LENGTH] = settings.length
        self.weight = np.array(
            [
                objective.seconds,
                objective.slowdown,
                objective.dollars,
                objective.miss,
                np.nan if objective.preference is None else objective.preference,
                settings.patience,
                0.0,
            ],
            dtype=np.float64,
        )
        self.arrival_gap, self.arrival_priority = arrivals.gap, arrivals.priority
        self.arrival_preference, self.arrival_slack = arrivals.preference, arrivals.slack
        self.arrival_project = arrivals.project
        self.arrival_ratio, self.arrival_figures = arrivals.ratio, arrivals.figures
        self.arrival_first, self.arrival_count = arrivals.first, arrivals.count
        self.arrival_shape = np.zeros(len(arrivals.row_shape), dtype=np.int64)
        self.future_start = np.zeros(settings.futures, dtype=np.int64)
        most = settings.jobs + settings.placements + 1
        self.row = np.zeros(most, dtype=np.int64)
        self.value = np.zeros((most, settings.futures))
        self.dropped = np.zeros(most, dtype=np.uint8)
        self.slot_time = np.zeros(settings.length)
        self.enter_numbers = np.zeros(5)
        self.enter_figures = np.zeros((3, int(arrivals.count.max())))

    def _allocate(self, world: World) -> None:
        """Columns whose sizes the world decides."""
        slots, attempts, pools = len(world.job_id), len(world.attempt_job), len(world.pools)
        sizes = (slots, attempts, pools, id(self._scratch.changing))
        if sizes == self._sizes:
            return
        self._sizes, futures = sizes, self.settings.futures
        self.live = self._scratch.changing
        self.image = np.zeros_like(self.live)
        self.line_kept = np.zeros(slots, dtype=np.int64)
        self.future_ratio = np.ones((futures, slots))
        self.future_end = np.zeros((futures, attempts))
        self.future_attempt = np.zeros((futures, attempts), dtype=np.int64)
        self.slot_ratio = np.ones(slots)
        self.ending, self.end_time = np.zeros(attempts, dtype=np.int64), np.zeros(attempts)
        self.heap_time, self.heap_attempt = np.zeros(attempts), np.zeros(attempts, dtype=np.int64)
        self.promised, self.promised_start = np.zeros(pools, dtype=np.int64), np.zeros(pools)
        self.pool_boots = np.zeros(pools, dtype=np.uint8)
        self._handle = None

    def _draw(self, world: World, draws: np.random.Generator, lately: Lately | None) -> None:
        """Draw the futures."""
        self.number[columns.PLAYED_MODE] = world.state[MODE]
        self.arrival_shape[:] = self._scratch.numbers[self.arrivals.row_shape]
        starts = self.starts(lately)
        self.future_start[:] = starts[draws.integers(len(starts), size=self.settings.futures)]
        self.weight[columns.ELAPSED] = lately.elapsed_s if lately else 0.0
        used = int(world.count[SLOTS_USED])
        self.future_ratio[:, :used] = 1.0
        if self._uncertain:
            self.future_ratio[:, 1:used] = draws.choice(
                self.arrivals.ratio, size=(self.settings.futures, used - 1)
            )
        active = world.attempt_job != 0
        active[world.placed_attempt[: int(world.count[PLACED])]] = False  # they start in play-outs
        running = np.flatnonzero(active)
        ends = np.maximum(world.attempt_end[running], world.figure[NOW])
        order = np.lexsort((running, ends))
        self.number[columns.RUNNING_AT_FIRST] = len(running)
        self.future_end[:, : len(running)] = ends[order]
        self.future_attempt[:, : len(running)] = running[order]
        self.pool_boots[:] = _boots(world, running)


def _without_waiting(scorer: Scorer) -> Scorer:
    """The scorer, or one that chooses as it does but waits for nothing: it names candidates."""
    codes = scorer.codes
    on_wgc = codes[KIND] == LEARNED_INDEX and codes[ORDER] == BY_WGC
    if codes[KIND] != WGC and not on_wgc:
        return scorer
    constants = scorer.constants.copy()
    constants[wgc.THETA] = _ALWAYS
    return scorer.renumbered(constants)


def _boots(world: World, running: Ints) -> Ints:
    """(pools,) 1 where a node that has booted stays up for a while.

    Where each attempt waits for a boot of its own, all nodes count as cold even while they run one.
    """
    boots = (world.pool_boot > 0.0).astype(np.int64)
    for pool in np.unique(world.attempt_pool[running[world.attempt_job[running] > 0]]).tolist():
        first = int(world.pool_first_node[pool])
        cold = world.node_cold[LIVE, first : first + int(world.pool_nodes[pool])]
        boots[pool] = int(boots[pool] and not cold.all())
    return boots
