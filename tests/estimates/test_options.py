from dataclasses import replace

import pytest

from scheduler.domain.errors import InfeasibleError
from scheduler.domain.resources import Request
from scheduler.estimates import Estimator, options, widths
from tests.support.estimate_worlds import CPU, POOLS, T4, train


def listed(spec, pools=POOLS):
    return [(one.pool, one.width) for one in options(spec, pools, Estimator())]


def test_all_accepted_pools_and_widths():
    assert listed(train(max_width=2)) == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
    assert listed(train(devices=("tesla t4",), min_width=2, max_width=9)) == [
        (1, 2), (1, 3), (1, 4),
    ]  # fmt: skip
    assert listed(train(devices=("cpu",), min_width=8, max_width=8)) == [(0, 8)]


def test_wide_ranges_keep_ends_and_powers_of_two():
    wide = replace(CPU, devices_per_node=100)
    assert widths(Request(max_width=8), wide) == tuple(range(1, 9))
    assert widths(Request(min_width=3, max_width=50), wide) == (3, 4, 8, 16, 32, 50)
    assert widths(Request(max_width=1000), wide) == (1, 2, 4, 8, 16, 32, 64, 100)


def test_memory_decides_the_width_on_several_nodes():
    nodes = replace(T4, devices_per_node=1, nodes=4, memory_per_node=16 * 2**30)
    assert listed(train(max_width=4, memory_bytes=40 * 2**30), [nodes]) == [(0, 3), (0, 4)]


@pytest.mark.parametrize(
    ("request_", "pools", "text", "field"),
    [
        ({"devices": ("cuda",), "min_width": 4, "max_width": 4}, (CPU,),
         "asks for 4 cuda devices; this cluster has 8 cpu (AMD EPYC; pool cpu)", "request.devices"),
        ({"devices": ("H100", "A10")}, POOLS, "asks for 1 H100 or A10 device", "request.devices"),
        ({"min_width": 20, "max_width": 30}, POOLS,
         "20 devices of any kind; the largest pool that it accepts, cpu, holds 8",
         "request.width"),
        ({"devices": ("cpu",), "memory_bytes": 64 * 2**30}, POOLS,
         "asks for 64 GiB of memory; the pools it accepts hold at most 16 GiB", "request.memory"),
        ({}, (), "this cluster has no pool", "request.devices"),
    ],
)  # fmt: skip
def test_an_infeasible_job_is_told_what_would_fit(request_, pools, text, field):
    with pytest.raises(InfeasibleError) as caught:
        options(train(**request_), pools, Estimator())
    assert text in caught.value.message
    assert list(caught.value.fields) == [field]
