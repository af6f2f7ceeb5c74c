"""What a round says of shapes is kept while nothing changes; it is what a new look would say."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.decisions.kernel.columns import IN_TIME, SHAPES_USED
from scheduler.decisions.kernel.rules.allowed import refresh_rules
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.plan import Action
from tests.support.worlds import option, pool, snapshot, snapshots, waiting


def rules(world):
    """Rule, begin and latest end of each shape that somebody waits for."""
    refresh_rules(world.handle)
    said = []
    for shape in range(1, world.count[SHAPES_USED]):
        if world.shape_users[shape]:
            timed = world.shape_rule[shape] == IN_TIME
            bounds = (world.shape_begin[shape], world.shape_latest[shape]) if timed else ()
            said.append((shape, int(world.shape_rule[shape]), *map(float, bounds)))
    return said


def looked_at(world):
    """What a world says that has kept nothing."""
    other = world.copy()
    for seen in (other.pool_fits_seen, other.pool_starts_seen, other.pool_rules_seen):
        seen[:] = -1
    return rules(other)


@given(snapshots(), st.data())
def test_what_is_kept_of_the_rules_is_what_a_new_look_says(snap, data):
    world, now, job, committed = snap.world.copy(), snap.now, 500, ()
    for _ in range(data.draw(st.integers(1, 4))):
        round_ = Round(world, now, data.draw(st.sampled_from(list(Mode))), committed)
        while (table := round_.table()) is not None:
            assert rules(world) == looked_at(world)
            position = data.draw(st.integers(0, len(table.rows) - 1))
            round_.take(int(table.rows[position]))
            if position == 0:
                break
            if data.draw(st.booleans()):
                assert rules(world) == looked_at(world)
        plan = round_.plan()
        committed = plan.reservations
        for placed in plan.placements:
            world.remove(placed.job)
        ends = sorted(world.running())
        if ends and data.draw(st.booleans()):
            now = max(now, ends[0].end)
            world.finish(ends[0].job)
        if data.draw(st.booleans()):
            job += 1
            width, memory = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 2))
            world.add(waiting(job, option(data.draw(st.floats(1.0, 50.0)), width, memory=memory)))


def test_a_plan_tells_when_a_reservation_starts_on_which_no_choice_depends():
    snap = snapshot(pool("gpu", 2), [waiting(1, option(10.0, 2)), waiting(2, option(5.0, 1))])
    round_ = Round(snap.world, snap.now, Mode.NONE)
    for job in (1, 2):
        round_.take(int(snap.world.job_first[snap.world.slot_of(job)]))
    (held,) = round_.plan().reservations
    assert (held.job, held.start) == (2, snap.now + 10.0)


def test_another_mode_at_the_same_moment_has_its_own_rules():
    jobs = [waiting(1, option(10.0, 2)), waiting(2, option(5.0, 1))]
    snap = snapshot(pool("gpu", 2), jobs, [RunningAttempt(50.0, 9, 0, ((0, 1),))])
    wide, narrow = (int(snap.world.job_first[snap.world.slot_of(job)]) for job in (1, 2))
    backfilling = Round(snap.world, snap.now, Mode.COMMIT_EASY)
    backfilling.take(wide)
    assert backfilling.outcome(narrow) is Action.BACKFILL
    blocking = Round(snap.world, snap.now, Mode.COMMIT, backfilling.plan().reservations)
    blocking.take(wide)
    assert blocking.table() is None
