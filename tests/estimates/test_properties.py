import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.errors import InfeasibleError
from scheduler.domain.resources import Request
from scheduler.estimates import Estimator, options, widths
from scheduler.estimates.progress import Reports, remaining_s
from tests.support.estimate_worlds import POOLS, command, measured, train

samples = st.floats(1e-3, 1e12)
flops = st.one_of(st.just(0.0), st.floats(1.0, 1e15))
seconds = st.floats(1e-3, 1e8)
pool = st.sampled_from(POOLS)
keys = st.sampled_from(["a", "b", "c"])


@st.composite
def measurements(draw):
    where = draw(pool)
    spec = train(draw(keys), draw(samples), draw(flops))
    if draw(st.booleans()):
        spec = command(draw(keys))
    total = draw(seconds)
    width = draw(st.integers(1, where.count))
    return measured(spec, where, width, total, overhead=total * draw(st.floats(0, 2)))


@given(
    st.lists(measurements(), max_size=25), keys, samples, st.floats(1, 1e3), flops, pool,
    st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_never_negative_never_infinite_never_less_for_more_work(
    known, key, amount, more, size, where, width
):
    estimator = Estimator(known, POOLS)
    found = estimator.estimate(train(key, amount, size), where, width)
    for value in (found.runtime_s, found.dollars, found.joules):
        assert math.isfinite(value)
        assert value > 0
    larger = estimator.estimate(train(key, amount * more, size), where, width)
    assert larger.runtime_s >= found.runtime_s
    assert larger.source == found.source


@given(
    st.lists(st.sampled_from(["any", "cpu", "cuda", "tesla t4", "H100"]), min_size=1, max_size=3),
    st.integers(1, 40),
    st.integers(0, 4000),
    st.integers(0, 500 * 2**30),
)
@settings(max_examples=200, deadline=None)
def test_options_are_always_feasible_or_refused(devices, low, extra, memory):
    request = {
        "devices": tuple(devices), "min_width": low, "max_width": low + extra,
        "memory_bytes": memory,
    }  # fmt: skip
    spec = train(**request)
    possible = any(
        where.suits(spec.request) and where.memory_fits(width, memory)
        for where in POOLS
        for width in range(low, min(low + extra, where.count) + 1)
    )
    if not possible:
        with pytest.raises(InfeasibleError) as caught:
            options(spec, POOLS, Estimator())
        assert caught.value.fields
        return
    found = options(spec, POOLS, Estimator())
    for index, width, *_ in found:
        where = POOLS[index]
        assert where.suits(spec.request)
        assert low <= width <= min(low + extra, where.count)
        assert where.memory_fits(width, memory)
    assert len({placement[:2] for placement in found}) == len(found)


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 600))
def test_widths_hold_both_ends_and_stay_few(low, extra, count):
    where = replace(POOLS[0], devices_per_node=count)
    found = widths(Request(min_width=low, max_width=low + extra), where)
    if low > count:
        assert not found
        return
    assert found[0] == low
    assert found[-1] == min(low + extra, count)
    assert list(found) == sorted(set(found))
    assert len(found) <= max(8, 2 + math.log2(count))


@given(
    st.floats(1e-3, 1e7),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6)), max_size=8),
    st.floats(0, 1e6),
    st.one_of(st.none(), st.floats(1, 1e6)),
)
def test_remaining_time_is_never_negative_or_infinite(expected, points, elapsed, limit):
    reports = None
    for point in points:
        reports = reports.and_then(*point) if reports else Reports(point, point)
    left = remaining_s(expected, elapsed, reports, limit)
    assert math.isfinite(left)
    assert left >= 0
    if limit is not None:
        assert left <= max(0, limit - elapsed)
