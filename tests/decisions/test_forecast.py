"""What would happen: by hand, and against rounds really replayed."""

from hypothesis import given, settings

from scheduler.decisions.rounds.forecast import ExpectedStart, forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import (
    Patient,
    after,
    moment,
    option,
    pool,
    snapshot,
    snapshots,
    waiting,
    waiting_of,
)

FCFS, SJF = HEURISTICS["fcfs"], HEURISTICS["sjf"]
BUSY = RunningAttempt(end=10.0, job=100, pool=0, nodes=((0, 2),))
JOBS = (
    waiting(1, option(10.0, 4), 0.0),
    waiting(2, option(12.0, 2), 1.0),
    waiting(3, option(10.0, 2, dollars=0.5, joules=7.0), 2.0),
    waiting(4, option(1.0, 1), 3.0),
)


def when(starts):
    return {job: (start.start, start.end) for job, start in sorted(starts.items())}


def test_easy_by_hand():
    starts = forecast(snapshot(pool(), JOBS, [BUSY]), FCFS, Mode.EASY)
    # 3 fills the gap before 1; when 1 ends at 20, 2 and 4 start side by side.
    assert when(starts) == {1: (10, 20), 2: (20, 32), 3: (0, 10), 4: (20, 21)}
    assert starts[3] == ExpectedStart(3, 0.0, 10.0, "cpu", 2, 0.5, 7.0)


def test_without_backfilling_by_hand():
    starts = forecast(snapshot(pool(), JOBS, [BUSY]), FCFS, Mode.COMMIT)
    assert when(starts) == {1: (10, 20), 2: (20, 32), 3: (20, 30), 4: (30, 31)}


def test_greedy_by_hand():
    starts = forecast(snapshot(pool(), JOBS, [BUSY]), FCFS, Mode.GREEDY)
    # All of these are wide: they are reserved as under EASY.
    assert starts == forecast(snapshot(pool(), JOBS, [BUSY]), FCFS, Mode.EASY)


def test_every_start_pays_the_boot_time():
    starts = forecast(snapshot(pool(devices=1, boot_s=5.0), JOBS[3:], now=100.0), FCFS, Mode.EASY)
    assert when(starts) == {4: (105, 106)}


def test_an_overrun_attempt_counts_as_ending_now():
    late = RunningAttempt(3.0, 100, 0, ((0, 4),))
    starts = forecast(snapshot(pool(), JOBS[:1], [late], now=50.0), FCFS, Mode.EASY)
    assert when(starts) == {1: (50, 60)}


def test_stops_at_the_job_asked_for_and_after_so_many_rounds():
    snap = snapshot(pool(), JOBS, [BUSY])
    assert set(forecast(snap, FCFS, Mode.EASY, until=1)) == {3, 1}
    assert set(forecast(snap, FCFS, Mode.EASY, rounds=1)) == {3}
    assert forecast(snapshot(pool(), []), FCFS, Mode.EASY) == {}


def test_what_never_starts_is_missing():
    never = waiting(9, option(5.0, 9), 0.0)
    assert set(forecast(snapshot(pool(), [never, *JOBS], [BUSY]), SJF, Mode.EASY)) == {1, 2, 3, 4}
    assert forecast(snapshot(pool(), JOBS, [BUSY]), Patient(), Mode.EASY) == {}


def replay(snap, policy, mode):
    """The service's loop, with the estimates as truth: a fresh snapshot at every end."""
    jobs = {job.id: job for job in waiting_of(snap.world)}
    starts, running, now, committed = {}, snap.world.running(), snap.now, ()
    while True:
        present = moment(snap, jobs.values(), running, now, committed)
        plan = run_round(present, policy, mode)
        committed = plan.reservations
        for placed in plan.placements:
            boot = snap.pools[placed.pool].boot_s
            starts[placed.job] = (now + boot, now + boot + placed.runtime_s)
            del jobs[placed.job]
        running = after(present, plan).running()
        if not jobs or not running:
            return starts
        now = max(now, min(each.end for each in running))
        running = [each for each in running if each.end > now]


@settings(max_examples=25)
@given(snapshots())
def test_never_differs_from_the_rounds_replayed(snap):
    for name in ("fcfs", "wfp3", "edf", "tetris"):
        for mode in (Mode.EASY, Mode.COMMIT_EASY, Mode.GREEDY):
            expected = replay(snap, HEURISTICS[name], mode)
            starts = forecast(snap, HEURISTICS[name], mode)
            assert when(starts) == expected


def test_what_starts_may_take_other_times_than_estimated():
    jobs = (waiting(1, option(10.0, 4), 0.0), waiting(2, option(5.0, 4), 1.0))
    starts = forecast(snapshot(pool(), jobs), FCFS, Mode.EASY, runtime=lambda placed: 3.0)
    assert when(starts) == {1: (0, 3), 2: (3, 6)}
    assert when(forecast(snapshot(pool(), jobs), FCFS, Mode.EASY)) == {1: (0, 10), 2: (10, 15)}
