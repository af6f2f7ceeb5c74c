"""Who the processes of an attempt are, what each takes of a batch, how they are set up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.workloads.distributed import collectives
from scheduler.workloads.distributed.ranks import ALONE, Rank, of_part
from scheduler.workloads.distributed.strategy import RankEnvironment, options


def spec(
    *nodes: int, kind: str = "cnn-train", device: DeviceKind = DeviceKind.CUDA, rank: int = 0
) -> LaunchSpec:
    return LaunchSpec(
        attempt="7.1",
        nonce="n",
        job_nonce="j",
        kind=JobKind(kind),
        work={},
        folder=Path("/attempt"),
        shared=Path("/job"),
        parts=tuple(
            Part(name, device, tuple(map(str, range(count))))
            for name, count in zip("abcd", nodes, strict=False)
        ),
        rank=rank,
    )


@given(st.lists(st.integers(1, 64), min_size=1, max_size=9), st.integers(0, 300))
def test_shares_make_up_the_batch_and_hold_two_images_at_least(
    weights: list[int], count: int
) -> None:
    ranks = [Rank(index, weights=tuple(weights)) for index in range(len(weights))]
    shares = [range(count)[rank.share(count)] for rank in ranks]
    assert [number for share in shares for number in share] == list(range(count))
    if count > 1:
        assert all(len(share) != 1 for share in shares)
    if count:
        assert shares[0], "rank 0 keeps the running statistics and needs images"


def test_shares_are_in_proportion_to_devices() -> None:
    assert [Rank(i, weights=(1,) * 4).share(32) for i in range(4)] == [
        slice(0, 8),
        slice(8, 16),
        slice(16, 24),
        slice(24, 32),
    ]
    wide, narrow = (Rank(i, weights=(3, 1)).share(400) for i in range(2))
    assert wide.stop - wide.start == pytest.approx(300, abs=2)
    assert narrow.stop == 400


def test_one_process_per_gpu_and_one_per_cpu_node() -> None:
    gpus = of_part(spec(4, 2, rank=1))
    assert [rank.index for rank in gpus] == [4, 5]
    assert [rank.local for rank in gpus] == [0, 1]
    assert (gpus[0].world, gpus[0].part, gpus[0].parts) == (6, 1, (4, 2))
    cpus = of_part(spec(4, 2, device=DeviceKind.CPU, rank=1))
    assert [(rank.index, rank.weights) for rank in cpus] == [(1, (4, 2))]
    assert of_part(spec(4, device=DeviceKind.CPU))[0].world == 1
    commands = of_part(spec(4, 2, kind="command", rank=1))
    assert [(rank.index, rank.world) for rank in commands] == [(1, 2)]


def test_lightning_is_told_ranks_and_does_not_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.7")
    monkeypatch.setenv("MASTER_PORT", "4711")
    rank = of_part(spec(4, 2, rank=1))[1]
    environment = RankEnvironment(rank)
    # By Lightning's own formula, node × devices + local, it would be 3 of 4.
    environment.set_global_rank(3)
    environment.set_world_size(4)
    assert (environment.global_rank(), environment.world_size()) == (5, 6)
    assert (environment.local_rank(), environment.node_rank()) == (1, 1)
    assert (environment.main_address, environment.main_port) == ("10.0.0.7", 4711)
    assert environment.creates_processes_externally
    assert not RankEnvironment.detect()


def test_how_gpus_are_used_as_far_as_that_shows_without_one() -> None:
    made = options(of_part(spec(4, 2, rank=1))[1], DeviceKind.CUDA)
    assert (made["accelerator"], made["devices"], made["num_nodes"]) == ("cuda", 2, 2)
    assert isinstance(made["strategy"].cluster_environment, RankEnvironment)
    assert options(of_part(spec(1))[0], DeviceKind.CUDA) == {"accelerator": "cuda", "devices": 1}
    assert options(ALONE, DeviceKind.CPU) == {"accelerator": "cpu", "devices": 1}
    assert collectives.BACKENDS[DeviceKind.CUDA] == "cpu:gloo,cuda:nccl"


def test_alone_there_is_nothing_to_agree_on() -> None:
    assert collectives.from_first(3) == 3
    assert collectives.from_all(3) == collectives.to_first(3) == [3]
    vote = collectives.Vote()
    assert [vote.after_batch(True), vote.after_batch(False), vote.now(True)] == [True, False, True]
