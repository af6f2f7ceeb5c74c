"""Time, rounds and reservations of one world, compiled: `Simulation` and `Round` for rigid jobs.

Each function changes world `b` of the arrays. Queues of some dozens and some hundred running jobs
are walked from end to end: at this size no other method is faster.
"""

from __future__ import annotations

import numpy as np

from envs.compiled.compiling import compiled
from envs.compiled.facts import MODES, Facts
from envs.compiled.state import Setting, State
from envs.simulator.attempts import OVERRUN_S
from envs.workloads.runtime_estimates import SHORTEST_S
from scheduler.arrays import Ints
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.precedence import AGEING, SOON_S
from scheduler.domain.jobs import MIDDLE_PRIORITY

_COMMIT_FCFS, _EASY = MODES.index(Mode.COMMIT_FCFS), MODES.index(Mode.EASY)


@compiled
def settle(b: int, jobs: Facts, state: State, setting: Setting, rows: Ints) -> int:
    """Take forced choices until there is a free one; returns how many slots of `rows` it has.

    0: the episode is over.
    """
    while True:
        if not state.open[b]:
            if not advance(b, jobs, state, setting):
                return 0
            begin(b, jobs, state, setting)
            continue
        count = candidates(b, jobs, state, rows)
        if count == 0:
            # Under EASY the next round chooses again; in other modes no job is held here.
            state.open[b], state.held[b] = False, 0
        elif count == 1:
            take(b, rows[0], jobs, state, setting)
        else:
            return count


@compiled
def take(b: int, slot: int, jobs: Facts, state: State, setting: Setting) -> None:
    """Start the job if it fits, else keep the pool for it."""
    width = jobs.width[b, slot]
    if state.held[b]:
        if state.now[b] + jobs.estimate[b, slot] > state.promised[b]:
            state.spare[b] -= width
        _start(b, slot, jobs, state)
    elif width <= state.free[b]:
        _start(b, slot, jobs, state)
    else:
        start, free = earliest(b, width, jobs, state)
        state.held[b], state.promised[b], state.spare[b] = slot, start, free - width
        if setting.mode != _EASY:
            _blocked(b, jobs, state, setting)


@compiled
def earliest(b: int, width: int, jobs: Facts, state: State) -> tuple[float, int]:
    """The earliest time with so many free devices by estimates, and how many are free then."""
    free, start = state.free[b], state.now[b]
    for index in range(state.running[b]):
        if free >= width:
            break
        free += jobs.width[b, state.slot[b, index]]
        start = max(state.now[b], state.believed[b, index])
    return start, free


@compiled
def to_come(b: int, jobs: Facts, state: State) -> tuple[float, float]:
    """Latency and device-seconds that running jobs will add, by estimates."""
    latency = seconds = 0.0
    for index in range(state.running[b]):
        slot = state.slot[b, index]
        left = max(0.0, state.believed[b, index] - state.now[b])
        latency += left * jobs.impatience[b, slot]
        seconds += left * jobs.width[b, slot]
    return latency, seconds


@compiled
def begin(b: int, jobs: Facts, state: State, setting: Setting) -> None:
    """Play a round; the job with the reservation of the round before comes first."""
    state.open[b] = True
    slot = state.held[b]
    if slot and jobs.width[b, slot] > state.free[b]:
        _blocked(b, jobs, state, setting)
        return
    state.crowd[b] = 0.0
    for index in range(state.waiting[b]):
        for figure in range(4):
            state.crowd[b, figure] += jobs.weights[b, figure, state.queue[b, index]]
    state.crowd[b, 4] = state.waiting[b]
    if slot:
        state.held[b] = 0
        _start(b, slot, jobs, state)


@compiled
def _blocked(b: int, jobs: Facts, state: State, setting: Setting) -> None:
    """Keep the pool for a job that does not fit yet; there is no choice until it has started.

    By RLScheduler's rule the oldest jobs may start that end before its first promised start.
    """
    state.open[b] = False
    if setting.mode != _COMMIT_FCFS:
        return
    index = 0
    while index < state.waiting[b]:
        slot = state.queue[b, index]
        ends = state.now[b] + jobs.estimate[b, slot]
        if (
            slot != state.held[b]
            and jobs.width[b, slot] <= state.free[b]
            and ends < state.promised[b]
        ):
            _start(b, slot, jobs, state)
        else:
            index += 1


@compiled
def candidates(b: int, jobs: Facts, state: State, rows: Ints) -> int:
    """Slots that may be chosen now, ascending."""
    held, free, count = state.held[b], state.free[b], 0
    beside = min(state.spare[b], free)
    for index in range(state.waiting[b]):
        slot = state.queue[b, index]
        if held:
            width = jobs.width[b, slot]
            in_time = state.now[b] + jobs.estimate[b, slot] <= state.promised[b]
            if slot == held or width > free or not (in_time or width <= beside):
                continue
        rows[count] = slot
        count += 1
    return count


@compiled
def preceding(b: int, slot: int, jobs: Facts, state: State) -> int:
    """The job that goes first among equal ones, as in `rounds.precedence`; 0 stays WAIT."""
    if not slot:
        return slot
    first, most = slot, -np.inf
    for index in range(state.waiting[b]):
        other = state.queue[b, index]
        if (
            other != state.held[b]
            and jobs.width[b, other] == jobs.width[b, slot]
            and jobs.estimate[b, other] == jobs.estimate[b, slot]
            and jobs.preference[b, other] == jobs.preference[b, slot]
        ):
            wait = max(state.now[b] - jobs.submitted[b, other], 0.0)
            value = np.log(max(jobs.priority[b, other], 1.0) / MIDDLE_PRIORITY)
            value += AGEING * np.log1p(wait / (jobs.estimate[b, other] + SOON_S))
            if value > most:
                first, most = other, value
    return first


@compiled
def _start(b: int, slot: int, jobs: Facts, state: State) -> None:
    count = state.waiting[b]
    _drop(state.queue[b], count, slot)
    for order in state.sorted[b]:
        _drop(order, count, slot)
    state.waiting[b] -= 1
    state.free[b] -= jobs.width[b, slot]
    _run(b, slot, state.now[b], state.now[b] + jobs.estimate[b, slot], state)


@compiled
def _run(b: int, slot: int, begun: float, end: float, state: State) -> None:
    """Insert a job into the running ones, by estimated end."""
    place = state.running[b]
    while place and (
        state.believed[b, place - 1] > end
        or (state.believed[b, place - 1] == end and state.slot[b, place - 1] > slot)
    ):
        state.believed[b, place] = state.believed[b, place - 1]
        state.begun[b, place] = state.begun[b, place - 1]
        state.slot[b, place] = state.slot[b, place - 1]
        place -= 1
    state.believed[b, place], state.begun[b, place], state.slot[b, place] = end, begun, slot
    state.running[b] += 1


@compiled
def _stop(b: int, index: int, state: State) -> None:
    for place in range(index, state.running[b] - 1):
        state.believed[b, place] = state.believed[b, place + 1]
        state.begun[b, place] = state.begun[b, place + 1]
        state.slot[b, place] = state.slot[b, place + 1]
    state.running[b] -= 1


@compiled
def advance(b: int, jobs: Facts, state: State, setting: Setting) -> bool:
    """Let time pass until something happens while jobs wait; False when all have ended."""
    while state.ended[b] < state.total[b]:
        now = _next(b, jobs, state)
        passed = now - state.now[b]
        state.accrued[b] += passed * state.rate[b]
        state.spent[b] += passed * (setting.devices - state.free[b])
        state.now[b] = now
        _happen(b, jobs, state)
        if state.waiting[b]:
            return True
    return False


@compiled
def _next(b: int, jobs: Facts, state: State) -> float:
    """The time of the next event."""
    soonest = np.inf
    if state.arrived[b] < state.total[b]:
        soonest = jobs.submitted[b, state.arrived[b] + 1]
    for index in range(state.running[b]):
        end = state.begun[b, index] + jobs.runtime[b, state.slot[b, index]]
        if _outlives(b, index, jobs, state):
            end = min(end, state.believed[b, index])
        soonest = min(soonest, end)
    return soonest


@compiled
def _outlives(b: int, index: int, jobs: Facts, state: State) -> bool:
    """Whether a running job will outlive its estimate."""
    slot = state.slot[b, index]
    end = state.begun[b, index] + jobs.runtime[b, slot]
    if jobs.runtime[b, slot] <= jobs.estimate[b, slot] + OVERRUN_S:
        return False
    return bool(state.believed[b, index] < end)


@compiled
def _happen(b: int, jobs: Facts, state: State) -> None:
    """All that happens at this instant: jobs end, outlive their estimates, arrive."""
    now, index = state.now[b], 0
    while index < state.running[b]:
        slot = state.slot[b, index]
        if state.begun[b, index] + jobs.runtime[b, slot] <= now:
            state.free[b] += jobs.width[b, slot]
            state.ended[b] += 1
            state.over[b, slot] = now
            # Sums of many small rates leave a rounding error, which would accrue without end.
            present = state.arrived[b] - state.ended[b]
            state.rate[b] = state.rate[b] - jobs.impatience[b, slot] if present else 0.0
            _stop(b, index, state)
        elif state.believed[b, index] <= now and _outlives(b, index, jobs, state):
            # As `SimulatedJob.remaining` and `Exact.corrected` have it.
            begun, estimate = state.begun[b, index], jobs.estimate[b, slot]
            elapsed = now - begun
            left = (
                max(SHORTEST_S, estimate - elapsed)
                if elapsed < estimate
                else max(SHORTEST_S, elapsed + max(SHORTEST_S, 0.1 * elapsed) - elapsed)
            )
            _stop(b, index, state)
            _run(b, slot, begun, now + left, state)
        else:
            index += 1
    while state.arrived[b] < state.total[b] and jobs.submitted[b, state.arrived[b] + 1] <= now:
        state.arrived[b] += 1
        _arrive(b, state.arrived[b], jobs, state)


@compiled
def _arrive(b: int, slot: int, jobs: Facts, state: State) -> None:
    count = state.waiting[b]
    state.rate[b] += jobs.impatience[b, slot]
    state.queue[b, count] = slot
    for order in range(state.sorted.shape[1]):
        place, line = count, state.sorted[b, order]
        while place and jobs.place[b, order, line[place - 1]] > jobs.place[b, order, slot]:
            line[place] = line[place - 1]
            place -= 1
        line[place] = slot
    state.waiting[b] += 1


@compiled
def _drop(line: Ints, count: int, slot: int) -> None:
    """Remove a slot from the first `count` of a queue."""
    place = 0
    while line[place] != slot:
        place += 1
    for index in range(place, count - 1):
        line[index] = line[index + 1]
