import pytest

from scheduler import settings
from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.resources import DeviceKind
from scheduler.hardware import cluster
from scheduler.hardware.cpus import Cpus
from scheduler.hardware.gpus import Gpu

CPUS = Cpus("AMD EPYC", (2, 3, 6, 7), 10 * 2**30, 5e10)
GPUS = (
    Gpu("NVIDIA A10", "GPU-a", 24 * 2**30, 150.0),
    Gpu("Tesla T4", "GPU-b", 16 * 2**30, None),
    Gpu("NVIDIA A10", "GPU-c", 23 * 2**30, 120.0),
)


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def built(overrides=None, gpus=GPUS):
    return cluster(settings.load(overrides=overrides), CPUS, gpus)


def test_one_pool_for_the_cpus_and_one_for_each_gpu_model():
    found = built()
    cpu, a10, t4 = found.pools
    assert (cpu.name, cpu.kind, cpu.count, cpu.memory_per_node) == (
        "cpu", DeviceKind.CPU, 4, (9 * 2**30),
    )  # fmt: skip
    assert (a10.name, a10.count, a10.memory_per_node) == ("a10", 2, 46 * 2**30)
    assert (a10.watts_per_device, a10.dollars_per_device_hour) == (150, 0.75)
    assert (t4.name, t4.count, t4.watts_per_device) == ("t4", 1, 70)
    assert found.identifiers == {
        "cpu": ("2", "3", "6", "7"), "a10": ("GPU-a", "GPU-c"), "t4": ("GPU-b",),
    }  # fmt: skip
    assert "Lambda" in found.sources["a10"]
    assert not found.notes


def test_devices_by_index_and_what_does_not_exist():
    found = built()
    assert found.devices("a10", (1, 0)) == ("GPU-c", "GPU-a")
    with pytest.raises(MissingError) as unknown:
        found.devices("a11", (0,))
    assert unknown.value.fields == {"pool": "one of cpu, a10, t4"}
    for bad in (2, -1):
        with pytest.raises(MissingError):
            found.devices("a10", (0, bad))


def test_reserved_cores_and_memory_are_left_to_the_system():
    (cpu,) = built({"hardware.reserved_cores": 3, "hardware.reserved_memory": 0.5}, ()).pools
    assert (cpu.count, cpu.memory_per_node) == (1, 5 * 2**30)
    (cpu,) = built({"hardware.reserved_cores": 99}, ()).pools
    assert cpu.count == 1


def test_every_figure_can_be_overridden():
    wish = {
        "devices": 2, "memory": "4GiB", "dollars_per_device_hour": 9, "watts_per_device": 8,
        "flops_per_device": 7e9, "boot_s": 6, "model": "mine",
    }  # fmt: skip
    found = built({"pools": {"cpu": wish}}, ())
    (cpu,) = found.pools
    assert (cpu.count, cpu.memory_per_node, cpu.dollars_per_device_hour) == (2, 4 * 2**30, 9)
    assert (cpu.watts_per_device, cpu.flops_per_device, cpu.boot_s, cpu.model) == (
        8,
        7e9,
        6,
        "mine",
    )
    assert found.identifiers["cpu"] == ("2", "3")
    assert found.sources["cpu"].startswith("settings: dollars_per_device_hour, watts")


def test_pools_can_be_switched_off_and_added():
    found = built(
        {
            "pools.t4.enabled": False,
            "pools": {"big": {"kind": "cpu", "devices": 3, "nodes": 2, "model": "AMD EPYC 9654"}},
        }
    )
    assert [pool.name for pool in found.pools] == ["cpu", "a10", "big"]
    big = found.pools[-1]
    assert (big.count, big.dollars_per_device_hour) == (6, 0.0432)
    assert found.identifiers["big"] == ("2", "3", "6", "7", "2", "3")
    assert found.notes == {"big": "6 devices share 4"}


def test_gpus_that_are_not_here_are_named_by_index_and_noted():
    wish = {"k80": {"kind": "cuda", "devices": 2, "model": "Tesla K80"}}
    found = built({"pools": wish}, ())
    assert found.identifiers["k80"] == ("0", "1")
    assert found.absent == {"k80": "this machine has no GPU"}
    assert [pool.name for pool in found.present] == ["cpu"]
    assert found.pools[-1].dollars_per_device_hour == 0.45


def test_a_further_pool_takes_only_gpus_of_its_model():
    kind = {"kind": "cuda", "devices": 1}
    found = built({"pools": {"k80": {**kind, "model": "Tesla K80"}, "any": kind}})
    assert found.absent == {"k80": "this machine has no Tesla K80, but NVIDIA A10, Tesla T4"}
    assert found.identifiers["any"] == ("GPU-a",)
    found = built({"pools": {"more": {**kind, "model": "A10"}}})
    assert (found.identifiers["more"], found.absent) == (("GPU-a",), {})


@pytest.mark.parametrize(
    ("names", "why"),
    [(["1"], None), (["GPU-c"], None), (["3"], "3"), (["GPU-a", "GPU-z"], "GPU-z")],
)
def test_gpus_listed_by_hand_must_be_there(names, why):
    wish = {"kind": "cuda", "devices": len(names), "identifiers": names}
    found = built({"pools": {"mine": wish}})
    assert found.absent == ({"mine": f"not on this machine: {why}"} if why else {})


def test_named_identifiers_are_taken_and_foreign_ones_noted():
    found = built({"pools.cpu.devices": 2, "pools.cpu.identifiers": ["6", "99"]}, ())
    assert found.devices("cpu", (0, 1)) == ("6", "99")
    assert found.absent == {"cpu": "not on this machine: 99"}


def test_without_detection_only_configured_pools_count():
    wish = {"hardware.detect": False, "pools": {"one": {"kind": "cpu", "devices": 1}}}
    assert [pool.name for pool in built(wish).pools] == ["one"]


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        ({"pools.x.devices": 2}, {"pools.x.kind", "pools.x.devices"}),
        ({"pools.x.kind": "cuda"}, {"pools.x.kind", "pools.x.devices"}),
        ({"hardware.detect": False}, {"pools"}),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(overrides, fields):
    with pytest.raises(InputError) as caught:
        built(overrides)
    assert set(caught.value.fields) == fields


def test_names_stay_apart_and_odd_ones_still_give_one():
    same_slug = (
        Gpu("NVIDIA T4", "GPU-1", 1, None), Gpu("Tesla T4", "GPU-2", 1, None),
        Gpu("???", "GPU-3", 1, None),
    )  # fmt: skip
    assert [pool.name for pool in built(gpus=same_slug).pools] == ["cpu", "t4", "t4-2", "gpu"]
