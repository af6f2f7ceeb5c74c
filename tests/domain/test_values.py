"""Requests, widths and pools: bad values are refused with the field and what is legal."""

import math

import pytest

from scheduler.domain.errors import FulcrumError, InfeasibleError, InputError, MissingError
from scheduler.domain.jobs import Attempt, Estimate, Retry
from scheduler.domain.lifecycle import AttemptState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request, parse_width


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("1", (1, 1)), (2, (2, 2)), ("1..4", (1, 4)), ("3..3", (3, 3)), (" 2 .. 4 ", (2, 4))],
)
def test_width(text, bounds):
    assert parse_width(text) == bounds


@pytest.mark.parametrize(
    "text",
    ["0", 0, -1, "", "..", "1..", "..4", "4..1", "0..2", "1..2..3", "two", "1.5", 1.5, "1-4", True],
)
def test_width_refused(text):
    with pytest.raises(InputError, match="is not a number of devices") as caught:
        parse_width(text)
    assert "LOW..HIGH" in caught.value.fields["width"]


@pytest.mark.parametrize(
    ("figures", "field"),
    [
        ({"devices": ()}, "devices"),
        ({"min_width": 0}, "width"),
        ({"min_width": 3, "max_width": 2}, "width"),
        ({"min_width": -1, "max_width": 1}, "width"),
        ({"memory_bytes": -1}, "memory"),
    ],
)
def test_request_refused(figures, field):
    with pytest.raises(InputError) as caught:
        Request(**figures)
    assert set(caught.value.fields) == {field}
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(
    ("devices", "kind", "accepted"),
    [
        (("any",), DeviceKind.CPU, True),
        (("ANY",), DeviceKind.CUDA, True),
        (("cuda",), DeviceKind.CPU, False),
        (("CUDA",), DeviceKind.CUDA, True),
        (("nvidia a10",), DeviceKind.CUDA, True),
        (("NVIDIA A100",), DeviceKind.CUDA, False),
        (("NVIDIA A100", "cpu"), DeviceKind.CPU, True),
        (("Fast",), DeviceKind.CUDA, True),
        (("faster",), DeviceKind.CUDA, False),
    ],
)
def test_what_a_job_may_call_its_devices(devices, kind, accepted):
    pool = Pool("fast", kind, "NVIDIA A10", devices_per_node=1)
    assert pool.suits(Request(devices=devices)) is accepted


POOL = {"name": "gpu", "kind": DeviceKind.CUDA, "model": "NVIDIA A10", "devices_per_node": 4}


@pytest.mark.parametrize(
    ("figures", "field"),
    [
        ({"devices_per_node": 0}, "devices"),
        ({"nodes": 0}, "devices"),
        ({"memory_per_node": -1}, "memory"),
        ({"dollars_per_device_hour": -0.1}, "dollars_per_device_hour"),
        ({"dollars_per_device_hour": math.nan}, "dollars_per_device_hour"),
        ({"dollars_per_device_hour": math.inf}, "dollars_per_device_hour"),
        ({"watts_per_device": -1.0}, "watts_per_device"),
        ({"boot_s": -1.0}, "boot_s"),
        ({"boot_s": math.inf}, "boot_s"),
        ({"flops_per_device": 0.0}, "flops_per_device"),
        ({"flops_per_device": math.nan}, "flops_per_device"),
    ],
)
def test_pool_refused(figures, field):
    with pytest.raises(InputError, match="'gpu'") as caught:
        Pool(**POOL | figures)
    assert set(caught.value.fields) == {f"pools.gpu.{field}"}


@pytest.mark.parametrize(
    ("width", "memory", "fits"),
    [
        (1, 8, True),
        (1, 9, False),
        (4, 8, True),
        (4, 9, False),
        (8, 16, True),
        (5, 10, True),  # 8 bytes where four devices are, 2 where the fifth is
        (5, 11, False),  # ⌈11 · 4/5⌉ = 9 on the first node, though both together have 16
    ],
)
def test_memory_is_spread_evenly_over_devices(width, memory, fits):
    assert Pool(**POOL, nodes=2, memory_per_node=8).memory_fits(width, memory) is fits
    assert Pool(**POOL, nodes=2).memory_fits(width, memory)


def test_pool_counts_devices():
    assert Pool(**POOL, nodes=3).count == 12


def test_backoff_doubles():
    assert [Retry(4, 5.0).delay(failures) for failures in (1, 2, 3)] == [5.0, 10.0, 20.0]


def test_attempt_names_itself():
    attempt = Attempt(17, 2, AttemptState.STARTING, "gpu", (0, 3), Estimate(1.0, 0.0, 0.0), 0, 0.0)
    assert (attempt.id, attempt.width) == ("17.2", 2)


def test_errors_have_stable_codes_and_keep_their_fields():
    error = MissingError("there is no job 9", {"job": "an id"})
    assert isinstance(error, FulcrumError)
    assert (error.code, error.message) == ("not-found", "there is no job 9")
    assert str(error) == "there is no job 9 (job: an id)"
    assert error.fields == {"job": "an id"}
    assert InfeasibleError("x").fields == {}
