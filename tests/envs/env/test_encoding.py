"""The encoding: what its columns hold, that it depends on nothing else, and which rows it shows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.features import columns, digest, encoder, ranks, row_selection
from scheduler.decisions.features.columns import GAIN, GLOBAL_COLUMNS, ORDERS, ROW_COLUMNS, TOP
from scheduler.decisions.features.encoder import Encoder, unflatten
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.availability import AHEAD_S
from scheduler.decisions.state.queue import Backlog
from scheduler.decisions.state.world import RunningAttempt
from tests.support.worlds import option, pool, snapshot, snapshots, table, waiting

NAMES = [column.name for column in ROW_COLUMNS]


def encoded(table, rows=16, w=0.5):
    made = Encoder(rows).encode(table, w)
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
    worn = Encoder(rows)
    worn.encode(table(snapshot(pool(), [waiting(1, option(5.0))])))
    round_ = Round(snap.queue, snap.cluster(), snap.now, mode=next(iter(encoder.Mode)))
    while (candidates := round_.table()) is not None:
        fresh, used = Encoder(rows).encode(candidates), worn.encode(candidates)
        assert fresh.values.tobytes() == used.values.tobytes()
        assert np.isfinite(fresh.values).all()
        assert 0.0 <= fresh.values.min() <= fresh.values.max() <= TOP
        assert len(fresh.values) == encoder.size(rows)
        assert len(fresh.positions) == min(rows, len(candidates))
        assert fresh.positions[0] == 0
        assert (np.diff(fresh.positions) > 0).all()
        round_.take(int(candidates.rows[fresh.positions[-1]]))


@settings(max_examples=20)
@given(snapshots())
def test_padding_changes_nothing(snap):
    small, _, positions = encoded(table(snap), 64)
    large, _, _ = encoded(table(snap), 128)
    np.testing.assert_array_equal(small[: len(positions)], large[: len(positions)])


@settings(max_examples=20)
@given(snapshots())
def test_the_earliest_starts_are_those_of_the_cluster(snap):
    cluster = snap.cluster()
    for _ in range(2):
        starts, boots = cluster.starts(snap.queue.shapes, range(len(snap.queue.shapes)))
        for shape, start, boot in zip(snap.queue.shapes[1:], starts[1:], boots[1:], strict=True):
            found = cluster.earliest(shape.pool, shape.width, shape.memory, snap.now)
            if found is None:
                assert start == np.inf
                continue
            assert max(start, snap.now) == found[0]
            nodes = found[1].fit(shape.width, shape.memory)
            assert boot == found[1].boot_s(nodes)
        for running in list(cluster.running())[:1]:
            cluster.finish(running.job)


def test_rows_are_remembered_only_while_the_queue_keeps_its_layout():
    backlog = Backlog()
    site = snapshot(pool("cpu", 4), [])
    reused = Encoder(8)
    rng = np.random.default_rng(0)
    for number in range(1, 300):
        backlog.add(waiting(number, option(float(rng.exponential(50.0)), int(rng.integers(1, 5)))))
        if number > 5:
            backlog.remove(number - 5)
        candidates = Round(backlog.view(), site.cluster(), 10.0, encoder.Mode.EASY).table()
        fresh = Encoder(8).encode(candidates).values
        assert reused.encode(candidates).values.tobytes() == fresh.tobytes()
    twin = backlog.copy()
    assert twin.view().layout != backlog.view().layout


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
    made = Encoder(32).encode(whole)
    shown = set(whole.job[made.positions].tolist())
    queue = whole.queue
    for order in ORDERS.values():
        scores = order(queue, np.arange(1, 501))
        assert int(queue.id[1:][np.argmin(scores)]) in shown
    for front in (whole.wait, -whole.size, -whole.size * whole.request, whole.priority):
        first = np.argsort(-front[1:], kind="stable")[:2] + 1
        assert set(whole.job[first].tolist()) <= shown


def test_the_first_jobs_show_all_their_placements():
    jobs = [
        waiting(number, [option(50.0, width) for width in (1, 2, 3, 4)], submitted=float(number))
        for number in range(1, 100)
    ]
    whole = table(snapshot(pool("cpu", 4), jobs, now=1000.0))
    positions = Encoder(33).encode(whole).positions
    counts = np.bincount(whole.job[positions[1:]])
    assert counts[1] == 4
    assert (counts > 0).sum() > 10


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 4)), min_size=8),
    st.integers(2, 24),
)
def test_the_nearest_rows_are_shown(drawn, rows):
    jobs = [
        waiting(number, [option(50.0 * length, width) for width in range(1, widths + 1)])
        for number, (length, widths, _) in enumerate(drawn, 1)
    ]
    whole = table(snapshot(pool("cpu", 4), jobs, now=1000.0))
    slot, count = whole.slot[1:], len(whole) - 1
    scores = np.array([[0.0, *(float(one[which]) for one in drawn)] for which in (0, 2)])
    scores[:, 0] = -1.0  # WAIT is no job of the table, wherever it stands
    before = ranks.among(ranks.extended(np.empty((2, 0), dtype=np.int64), scores), slot)
    ends = whole.queue.runtime
    prices = np.array([ends[whole.rows[1:]], 100.0 - ends[whole.rows[1:]]])
    shown = row_selection.nearest(whole, before, ends, prices, rows)

    alike = slot[:, np.newaxis] == slot
    places = np.lexsort((np.arange(count), whole.preference_cost[1:])).argsort()
    own = (alike & (places < places[:, np.newaxis])).sum(axis=1)
    near = (1 + before.min(axis=0)[slot]) * (1 + own)
    near = np.minimum(near, 1 + ranks.everywhere(prices).min(axis=0))
    first = np.lexsort((np.arange(count), near))[: rows - 1]
    expected = [0, *sorted(1 + first)] if len(whole) > rows else range(len(whole))
    assert shown.tolist() == list(expected)


def _swapped(name, other):
    """`name` is computed as `other` is."""
    values = {column.name: column.value for column in columns.DYNAMIC_COLUMNS}
    return tuple(
        replace(column, value=values[other]) if column.name == name else column
        for column in columns.DYNAMIC_COLUMNS
    )


def test_the_digest_tells_encodings_apart(monkeypatch):
    before = digest.digest()
    assert len(before) == 12
    assert before == digest.digest()
    monkeypatch.setattr(encoder, "DYNAMIC_COLUMNS", _swapped("rank_sjf", "rank_saf"))
    assert digest.digest() != before, "a function has changed, no declaration"
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
    assert digest.compatible(digest.digest())
    assert digest.compatible("9ce248cc2e3a")
    assert not digest.compatible("0" * 12)
    monkeypatch.setattr(encoder, "DYNAMIC_COLUMNS", _swapped("regret", "price"))
    assert not digest.compatible("9ce248cc2e3a")
