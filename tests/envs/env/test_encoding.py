"""The encoding: what its columns hold, that it depends on nothing else, and which rows it shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.features import digest, encoder
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.encoder import encode, unflatten
from scheduler.decisions.kernel.cluster.starts import AHEAD_S
from scheduler.decisions.kernel.columns import QUEUE_PRESSURE, QUEUE_WEIGHT
from scheduler.decisions.kernel.queue import orders, positions
from scheduler.decisions.kernel.queue.features import GAIN, TOP
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import RunningAttempt
from tests.support.worlds import option, pool, snapshot, snapshots, table, waiting

NAMES = [column.name for column in ROW_COLUMNS]


def encoded(table, rows=16, w=0.5):
    made = encode(table, rows, w)
    shown, overall = unflatten(made.values, rows)
    named = dict(zip((column.name for column in GLOBAL_COLUMNS), overall.tolist(), strict=True))
    return shown, named, made.positions


def log(x, unit):
    return pytest.approx(GAIN * np.log1p(x / unit), rel=1e-5)


def test_columns_by_hand():
    snap = snapshot(
        [pool("cpu", 4), pool("gpu", 2, boot_s=0.0, dollars_per_device_hour=2.0)],
        [
            waiting(
                1,
                [option(100.0, 2, 0, dollars=1.0, joules=5.0), option(25.0, 1, 1, dollars=2.0)],
                submitted=40.0,
                priority=80.0,
                preference=0.9,
                deadline=400.0,
            ),
            waiting(2, option(10.0, 1, 0, dollars=0.5), submitted=90.0, deadline=105.0),
        ],
        [RunningAttempt(700.0, 9, 1, ((0, 2),))],
        now=100.0,
    )
    shown, overall, positions = encoded(table(snap), w=0.3)
    assert positions.tolist() == [0, 1, 2, 3]
    wait, slow, fast, short = (dict(zip(NAMES, row.tolist(), strict=True)) for row in shown[:4])
    assert {name for name, value in wait.items() if value} == {"present", "waits", "fits"}
    assert slow["fits"] == short["fits"] == 1.0
    assert fast["fits"] == 0.0
    assert slow["share"] == 0.5
    assert slow["priority"] == pytest.approx(0.8)
    assert slow["preference"] == pytest.approx(0.9)
    assert slow["wait"] == log(60.0, 10.0)
    assert slow["runtime"] == log(100.0, 10.0)
    assert slow["slower"] == log(3.0, 0.1)
    assert fast["delay"] == log(600.0, 10.0)
    assert slow["later"] == 0.0
    assert fast["later"] == log(625.0 / 100.0 - 1, 0.1)
    assert fast["dearer"] == log(1.0, 0.1)
    assert slow["hungrier"] == pytest.approx(min(GAIN * np.log1p(1e10), TOP), abs=5.0)
    assert slow["slack"] == log(200.0, 60.0)
    assert fast["late"] == log(325.0, 60.0)
    assert short["late"] == log(5.0, 60.0)
    assert short["rank_sjf"] == 0.0
    assert short["rank_fcfs"] == log(1, 1.0)
    assert [fast[f"free_{ahead:g}s"] for ahead in AHEAD_S] == [0.0, 1.0, 1.0, 1.0]
    # The other job gains 1 per 10 s of slowdown, while this one holds half of its pool for 100 s.
    assert slow["inflicted"] == log(0.1 * 100.0 * 0.5, 0.1)
    # A dollar is 1,800 s of the dearest device; v is 1.6 and 1. Seconds: own end, dollars, others.
    here = 0.9 * 1.6 * 100.0 + 0.1 * 1800.0 + 2.6 * 0.9 * 100.0 * 0.5
    there = 0.9 * 1.6 * 625.0 + 0.1 * 3600.0 + 2.6 * 0.9 * 25.0 * 0.5
    assert slow["worth"] == log(1800.0, 10.0)
    assert slow["price"] == log(here, 10.0)
    assert fast["price"] == log(there, 10.0)
    assert (slow["regret"], fast["regret"]) == (0.0, log(there - here, 10.0))
    urgency = 1.6 / (25.0 + 30.0) + 1.0 / (10.0 + 30.0)
    held = urgency * 0.9 * 100.0 * 0.5
    own = (0.9 * 1.6 * 100.0 + 0.1 * 1800.0) / (25.0 + 30.0)
    assert slow["price_slowdown"] == log(own + held, 0.1)
    assert [row["rank_price"] for row in (slow, short, fast)] == [0.0, log(1, 1.0), log(2, 1.0)]
    assert overall["preference"] == pytest.approx(0.3)
    assert overall["total_free_0s"] == pytest.approx(4 / 6)
    assert overall["least_free_0s"] == 0.0
    assert overall["depth"] == log(2, 1.0)
    assert not shown[4:].any()


@settings(max_examples=30)
@given(snapshots(), st.integers(2, 12))
def test_never_outside_its_bounds_and_never_dependent_on_what_was_encoded_before(snap, rows):
    worn, fresh = snap.world.copy(), snap.world.copy()
    busy, calm = Round(worn, snap.now, Mode.NONE), Round(fresh, snap.now, Mode.NONE)
    while (candidates := busy.table()) is not None:
        encode(Candidates(worn, candidates.rows[:2]), 3, 0.1)
        used, first = encode(candidates, rows), encode(calm.table(), rows)
        assert used.values.tobytes() == first.values.tobytes()
        assert np.isfinite(used.values).all()
        assert 0.0 <= used.values.min() <= used.values.max() <= TOP
        assert len(used.values) == encoder.size(rows)
        assert len(used.positions) == min(rows, len(candidates))
        assert used.positions[0] == 0
        assert (np.diff(used.positions) > 0).all()
        row = int(candidates.rows[used.positions[-1]])
        busy.take(row)
        calm.take(row)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_choice_of_a_round_is_encoded_as_in_a_copy_of_the_world(mode):
    rng = np.random.default_rng(2)
    lengths = [0.0, 50.0, *rng.lognormal(5, 2, 6).tolist()]
    jobs = [
        waiting(
            number,
            [
                option(float(rng.choice(lengths)), width, place, dollars=float(place * width))
                for place in range(3)
                for width in (1, 2, 4)
            ],
            priority=float(rng.choice([0.0, 50.0, 80.0])),
            preference=float(rng.choice([0.0, 0.5, 1.0])),
        )
        for number in range(1, 120)
    ]
    running = [RunningAttempt(500.0, 900 + place, place, ((0, 3),)) for place in range(3)]
    pools = [pool(name, 8, boot_s=place * 60.0) for place, name in enumerate("abc")]
    snap = snapshot(pools, jobs, running, now=200.0)
    choices, round_ = 0, Round(snap.world, snap.now, mode)
    while (candidates := round_.table()) is not None:
        found = encode(candidates, 16)
        copied = encode(Candidates(snap.world.copy(), candidates.rows), 16)
        assert found.values.tobytes() == copied.values.tobytes()
        assert found.positions.tolist() == copied.positions.tolist()
        round_.take(int(candidates.rows[found.positions[1 + choices % (len(found.positions) - 1)]]))
        choices += 1
    assert choices > 3


@settings(max_examples=20)
@given(snapshots())
def test_padding_changes_nothing(snap):
    small, _, positions = encoded(table(snap), 64)
    large, _, _ = encoded(table(snap), 128)
    np.testing.assert_array_equal(small[: len(positions)], large[: len(positions)])


def test_a_world_that_has_changed_much_is_encoded_as_a_new_one():
    rng = np.random.default_rng(0)
    jobs = [
        waiting(number, option(float(rng.exponential(50.0)), int(rng.integers(1, 5))), number)
        for number in range(1, 300)
    ]
    worn = snapshot([pool("cpu", 4)], []).world
    for index, job in enumerate(jobs):
        worn.add(job)
        if index >= 5:
            worn.remove(jobs[index - 5].id)
        kept = jobs[max(0, index - 4) : index + 1]
        fresh = snapshot([pool("cpu", 4)], kept).world
        tables = [Round(world, 400.0, Mode.EASY).table() for world in (worn, fresh)]
        used, new = (encode(each, 8).values for each in tables)
        assert used.tobytes() == new.tobytes()


def test_the_best_rows_of_every_order_are_shown():
    rng = np.random.default_rng(1)
    jobs = [
        waiting(
            number,
            [
                option(float(rng.lognormal(5, 2)), int(rng.integers(1, 5)), place)
                for place in range(2)
            ],
            submitted=float(number),
            priority=float(rng.integers(0, 100)),
        )
        for number in range(1, 501)
    ]
    whole = table(snapshot([pool("cpu", 4), pool("gpu", 4)], jobs, now=1000.0))
    shown = set(whole.job[encode(whole, 32).positions].tolist())
    for front in (whole.wait, -whole.size, -whole.size * whole.request, whole.priority, _f1(whole)):
        first = np.argsort(-front[1:], kind="stable")[:2] + 1
        assert set(whole.job[first].tolist()) <= shown


def _f1(whole):
    scores = np.zeros(len(whole))
    orders.scores_of(whole.world.handle, orders.F1, whole.slot, scores)
    return scores


def test_the_first_jobs_show_all_their_placements():
    jobs = [
        waiting(number, [option(50.0, width) for width in (1, 2, 3, 4)], submitted=float(number))
        for number in range(1, 100)
    ]
    whole = table(snapshot(pool("cpu", 4), jobs, now=1000.0))
    shown = encode(whole, 33).positions
    counts = np.bincount(whole.job[shown[1:]])
    assert counts[1] == 4
    assert (counts > 0).sum() > 10


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(*(st.integers(1, top) for top in (5, 3, 4)), st.sampled_from((0.0, 0.4, 1.0))),
        min_size=8,
    ),
    st.integers(2, 24),
)
def test_the_nearest_rows_are_shown_and_ranked(drawn, rows):
    """Against sorting everything by every order and price."""
    jobs = [
        waiting(
            number,
            [option(50.0 * length / width, width, dollars=width) for width in range(1, widths + 1)],
            float(9 - born),
            priority=20.0 * born,
            preference=own,
        )
        for number, (length, widths, born, own) in enumerate(drawn, 1)
    ]
    whole = table(snapshot(pool("cpu", 4), jobs, now=60.0))
    made = encode(whole, rows)
    ranks = _ranks(whole)
    near = (1 + ranks[:5].min(axis=0)) * (1 + _own_ranks(whole))
    near = np.minimum(near, 1 + ranks[5:].min(axis=0))
    first = np.lexsort((np.arange(len(near)), near))[: rows - 1]
    expected = [0, *sorted(1 + first)] if len(whole) > rows else range(len(whole))
    assert made.positions.tolist() == list(expected)
    seen = unflatten(made.values, rows)[0][1 : len(made.positions), positions.RANK_FCFS :]
    np.testing.assert_allclose(seen.T, GAIN * np.log1p(ranks[:, made.positions[1:] - 1]), 1e-6)


def _ranks(whole):
    """(orders and prices, rows) How many jobs, then rows, come before each row."""
    world, slots = whole.world, np.unique(whole.slot[1:])
    found = []
    for order in positions.ORDERS:
        scores = np.zeros(len(slots))
        orders.scores_of(world.handle, order, slots, scores)
        places = np.lexsort((slots, -scores)).argsort()
        found.append(places[np.searchsorted(slots, whole.slot[1:])])
    own, held = whole.preference, whole.preference * whole.runtime * whole.share
    end = whole.start_delay + whole.runtime
    cost = own * whole.priority / 50.0 * end + (1.0 - own) * (whole.dollars * 3600.0)
    unit = 1.0 / (whole.ideal + 30.0)
    seconds = cost + world.figure[QUEUE_WEIGHT] * held
    slowdown = cost * unit + world.figure[QUEUE_PRESSURE] * held
    for price in (seconds[1:], slowdown[1:]):
        found.append(np.lexsort((np.arange(len(price)), price)).argsort())
    return np.array(found)


def _own_ranks(whole):
    slot, cost = whole.slot[1:], whole.preference_cost[1:]
    alike = slot[:, np.newaxis] == slot
    places = np.lexsort((np.arange(len(cost)), cost)).argsort()
    return (alike & (places < places[:, np.newaxis])).sum(axis=1)


def test_names_and_positions_agree():
    names = [column.name.upper() for column in ROW_COLUMNS]
    renamed = {"WAITS": "IS_WAIT", "PRIORITY": "JOB_PRIORITY", "PREFERENCE": "JOB_PREFERENCE"}
    renamed["WAIT"] = "WAIT_S"
    for place, name in enumerate(names):
        assert getattr(positions, renamed.get(name, name)) == place
    for place, column in enumerate(GLOBAL_COLUMNS):
        assert getattr(positions, column.name.upper()) == place


def test_the_digest_tells_encodings_apart(monkeypatch):
    before = digest.digest()
    assert before == digest.digest() == "99300e5a7cac", "older artifacts read this encoding"
    swapped = [values[::-1].copy() for values in digest.golden_values()]
    monkeypatch.setattr(digest, "golden_values", lambda: swapped)
    assert digest.digest() != before, "other values, no other declaration"
    monkeypatch.undo()
    monkeypatch.setattr(digest, "ENCODING_VERSION", 1)
    assert digest.digest() != before


def test_the_digest_sees_columns_that_are_swapped():
    rows, whole = zip(*(unflatten(values, 8) for values in digest.golden_values()), strict=True)
    for columns_ in (np.concatenate(rows).T, np.array(whole).T):
        assert len(np.unique(columns_.round(digest.DECIMALS), axis=0)) == len(columns_)


def test_the_digest_does_not_depend_on_the_machine():
    scale = 10.0**digest.DECIMALS
    for values in digest.golden_values():
        beyond = values.astype(np.float64) * scale % 1
        assert np.abs(beyond - 0.5).min() / scale > 1e-5, "change the golden tables a little"


def test_policies_of_the_earlier_digest_rule_are_accepted_until_the_encoding_changes(monkeypatch):
    assert digest.digest() == digest.ENCODING, "write down what `digest` gives now"
    assert digest.compatible(digest.ENCODING)
    assert digest.compatible("9ce248cc2e3a")
    assert not digest.compatible("0" * 12)
    monkeypatch.setattr(digest, "ENCODING", "0" * 11 + "1")
    assert not digest.compatible("9ce248cc2e3a")
