import os

import psutil
import pytest

from scheduler.hardware.limits import cpu_quota, usable_cpus, usable_memory
from tests.support.machines import write

V2 = "0::/system.slice/fulcrum.service\n"
V1 = "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 3, 5, 7, 8, 9, 10, 11})


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": V2}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/cpu.max": "250000 100000"}, 2.5),
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/cpu.max": "400000 100000",
                "sys/fs/cgroup/system.slice/fulcrum.service/cpu.max": "150000 100000",
            },
            1.5,
        ),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/cpu.max": "garbage"}, None),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (  # in a container the path is the host's, and the mount's root is ours
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_quota_is_that_of_the_tightest_group(tmp_path, files, quota):
    assert cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("max 100000", (2, 3, 5, 7, 8, 9, 10, 11)),
        ("290000 100000", (2, 3)),
        ("50000 100000", (2,)),
        ("9900000 100000", (2, 3, 5, 7, 8, 9, 10, 11)),
    ],
)
def test_cpus_are_the_affinity_cut_to_whole_cpus_of_the_quota(tmp_path, eight, quota, cpus):
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota})
    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/memory.max": "max\n"}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/memory.max": "1048576\n"}, 2**20),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "2097152\n",
            },
            2**21,
        ),
    ],
)
def test_memory_is_the_machines_or_the_groups(tmp_path, files, limit):
    whole = psutil.virtual_memory().total
    assert usable_memory(write(tmp_path, files)) == (limit or whole)
