"""Attempts of several parts, each in processes of its own, as on so many nodes."""

from __future__ import annotations

import hashlib
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from scheduler.workloads.data import datasets
from scheduler.workloads.data.images import Batches, Prepared, mix
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.models.optimizers import learning_rate
from scheduler.workloads.spec.work import CnnTrainWork
from tests.support.thinning import thinned
from tests.workloads.conftest import SIGKILLED, Ended, Nursery

KILL, TERM = int(signal.SIGKILL), int(signal.SIGTERM)
PLAIN: dict[str, Any] = {
    "limit": 150,  # the last batch is smaller
    "epochs": 3,
    "batch_size": 16,
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "schedule": "cosine",
    "augmentation": {"flip": True, "rotation": 10},
    "seed": 11,
}
NORMALISED: dict[str, Any] = {
    "model": "mnasnet0_5",  # batch normalisation and dropout
    "test_fraction": 0.03,
    "validation_fraction": 0.03,
    "limit": 33,
    "epochs": 3,
    "batch_size": 8,
    "seed": 12,
}


@pytest.fixture(scope="module")
def straight(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One process."""
    return nursery.run(tmp_path_factory.mktemp("straight"), "cnn-train", PLAIN)


@pytest.fixture(scope="module")
def pair(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Two parts."""
    return nursery.run(tmp_path_factory.mktemp("pair"), "cnn-train", PLAIN, nodes=(1, 1))


def model(ended: Ended) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(ended.artifacts / "model.pt", weights_only=True)
    return state


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_one_process_computes_what_the_textbook_says_to_the_last_bit(straight: Ended) -> None:
    """Nothing of several ranks may change a training in one process."""
    work = CnnTrainWork.model_validate(PLAIN)
    torch.set_num_threads(1)
    parts = datasets.load(work, 8, threads=1, cache_bytes=0)
    mean, std = weights.normalisation("imagenet", 1)
    from scheduler.workloads.data.augmentations import augmentation

    train = Prepared(
        parts.train,
        edge=8,
        channels=1,
        mean=mean,
        std=std,
        augment=augmentation(work.augmentation, 8),
        seed=11,
    )
    torch.manual_seed(11)
    network = architectures.build("simple-cnn", classes=10, image_size=8, channels=1)
    optimizer = torch.optim.SGD(network.parameters(), 0.05, 0.9)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = learning_rate(work, epoch)
        torch.manual_seed(mix(11, epoch))
        for keys in Batches(150, 16, epoch=epoch, seed=11):
            images, labels = train.__getitems__(keys)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
    for name, found in model(straight).items():
        assert torch.equal(found, network.state_dict()[name]), name


def test_two_parts_learn_what_one_process_learns(straight: Ended, pair: Ended) -> None:
    assert pair.codes == [0, 0], pair.log
    single, double = (one.lines("epoch") for one in (straight, pair))
    for one, other in zip(single, double, strict=True):
        for figure in ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy"):
            assert other[figure] == pytest.approx(one[figure], rel=1e-4), figure
        assert other["confusion"] == one["confusion"], "each image counts once"
    for name, value in model(straight).items():
        torch.testing.assert_close(model(pair)[name], value, rtol=1e-3, atol=1e-5)
    for figure, value in straight.result["metrics"].items():
        assert pair.result["metrics"][figure] == pytest.approx(value, rel=1e-3)


def test_rank_0_speaks_for_the_attempt(pair: Ended) -> None:
    assert pair.result["samples"] == 450
    assert pair.lines("progress")[-1]["fraction"] == 1
    assert pair.lines("progress")[-1]["samples"] == 450
    assert sum(map(sum, pair.lines("test")[0]["confusion"])) == pair.result["test_images"]
    assert "on 2 processes of 2 nodes" in pair.log
    other = pair.part(1)
    assert "epoch 3/3" in other.log
    assert not (other.folder / "metrics.jsonl").exists()
    assert "metrics" not in other.result


@pytest.mark.slow
def test_three_parts_with_normalisation_end_with_equal_weights(
    nursery: Nursery, tmp_path: Path
) -> None:
    work = NORMALISED | {"early_stopping": 1, "epochs": 9}
    ended = nursery.run(tmp_path, "cnn-train", work, nodes=(2, 1, 1), hook={"digest_weights": True})
    assert ended.codes == [0, 0, 0], ended.log
    digests = {
        one.log.partition("weights: ")[2].split()[0]
        for one in (ended, ended.part(1), ended.part(2))
    }
    assert len(digests) == 1
    assert ended.result["epochs"] < 9, "early stopping ends all ranks"


@pytest.mark.parametrize(("rank", "whole"), thinned([(0, False), (1, False), (0, True), (1, True)]))
def test_a_lost_rank_ends_the_others_with_its_reason(
    rank: int, whole: bool, nursery: Nursery, tmp_path: Path
) -> None:
    """Without an end of its own the survivor would wait for ever, and so would this test."""
    hook = {"signal": KILL, "epoch": 1, "batch": 3, "rank": rank, "whole": whole}
    work = PLAIN | {"epochs": 10_000}
    ended = nursery.run(tmp_path, "cnn-train", work, nodes=(1, 1), hook=hook)
    survivor = ended if rank else ended.part(1)
    node = "ab"[rank]
    if whole:
        assert ended.codes[rank] == SIGKILLED
        assert survivor.code == 1
        assert survivor.result["error"].startswith(f"rank {rank} on node-{node} was lost: ")
    else:
        assert ended.codes == [128 + KILL] * 2
        reason = f"rank {rank} on node-{node}: signal SIGKILL (perhaps out of memory)"
        assert ended.result["error"] == ended.part(1).result["error"] == reason
    assert survivor.result["rank"] == rank
    assert survivor.result.get("retriable", True)


@pytest.mark.slow
@pytest.mark.parametrize("work", [PLAIN, NORMALISED])
def test_a_stopped_attempt_goes_on_with_the_same_bits_on_as_many_nodes(
    work: dict[str, Any], nursery: Nursery, tmp_path: Path
) -> None:
    """One rank gets the signal; all save and stop after the same batch."""
    straight = nursery.run(tmp_path / "straight", "cnn-train", work, nodes=(1, 1))
    hook = {"signal": TERM, "epoch": 1, "batch": 1, "rank": 1}
    stopped = nursery.run(tmp_path / "job", "cnn-train", work, nodes=(1, 1), hook=hook)
    assert stopped.codes == [128 + TERM] * 2, stopped.log
    assert stopped.result["error"] == "stopped by SIGTERM"
    assert [path.name for path in sorted(stopped.checkpoints.glob("*.ckpt"))][-1].startswith(
        "epoch-000001-"
    )
    ended = nursery.run(tmp_path / "job", "cnn-train", work, nodes=(1, 1), number=2)
    assert ended.codes == [0, 0], ended.log
    assert "resumed after batch" in ended.log
    assert digest(ended.artifacts / "model.pt") == digest(straight.artifacts / "model.pt")
    assert ended.artifacts.joinpath("history.csv").read_text() == (
        straight.artifacts.joinpath("history.csv").read_text()
    )


def test_a_stopped_attempt_goes_on_at_another_width(
    straight: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    hook = {"signal": TERM, "epoch": 1, "batch": 4, "rank": 0}
    stopped = nursery.run(tmp_path, "cnn-train", PLAIN, nodes=(1, 1), hook=hook)
    assert stopped.code == 128 + TERM
    stopped = nursery.run(
        tmp_path, "cnn-train", PLAIN, number=2, hook={"signal": TERM, "epoch": 2, "batch": 1}
    )
    assert stopped.code == 128 + TERM
    ended = nursery.run(tmp_path, "cnn-train", PLAIN, number=3, nodes=(2, 1, 1))
    assert ended.codes == [0, 0, 0], ended.log
    assert ended.result["epochs"] == 3
    for one, other in zip(straight.lines("epoch")[2:], ended.lines("epoch"), strict=True):
        assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-3)


@pytest.mark.slow
def test_batches_that_are_too_small_leave_ranks_idle(nursery: Nursery, tmp_path: Path) -> None:
    work = PLAIN | {"limit": 7, "batch_size": 3, "loader_workers": 1, "epochs": 2}
    ended = nursery.run(tmp_path, "cnn-train", work, nodes=(1, 1, 1))
    assert ended.codes == [0, 0, 0], ended.log
    assert "batches of 3 leave 2 of them idle" in ended.log
    assert ended.result["samples"] == 14


def test_what_fails_on_every_rank_fails_once(nursery: Nursery, tmp_path: Path) -> None:
    work = PLAIN | {"dataset": "folder:/no/such/folder"}
    ended = nursery.run(tmp_path, "cnn-train", work, nodes=(1, 1))
    assert ended.codes == [2, 2]
    assert ended.result["retriable"] is False
    assert ended.result["error"] == "/no/such/folder is not a folder on this machine"


def test_answers_do_not_depend_on_the_number_of_ranks(
    straight: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    work = {"models": [str(straight.artifacts)], "data": "digits:test", "batch_size": 50}
    one = nursery.run(tmp_path / "one", "cnn-infer", work)
    three = nursery.run(tmp_path / "three", "cnn-infer", work, nodes=(1, 1, 1))
    assert three.codes == [0, 0, 0], three.log
    for name in ("predictions.csv", "predictions.jsonl"):
        assert (three.artifacts / name).read_text() == (one.artifacts / name).read_text()
    assert three.result["images"] == three.result["samples"] == 359
    assert three.result["metrics"]["accuracy"] == one.result["metrics"]["accuracy"]


@pytest.mark.slow
def test_programs_of_a_command_find_each_other(nursery: Nursery, tmp_path: Path) -> None:
    program = (
        "import os, torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "ranks = torch.tensor(dist.get_rank() + 1)\n"
        "dist.all_reduce(ranks)\n"
        "print(os.environ['FULCRUM_RANK'], os.environ['FULCRUM_WORLD_SIZE'],\n"
        "      os.environ['FULCRUM_NODES'], int(ranks))\n"
        "dist.destroy_process_group()\n"
    )
    work = {"argv": [sys.executable, "-c", program]}
    ended = nursery.run(tmp_path, "command", work, nodes=(1, 2))
    assert ended.codes == [0, 0], ended.log + ended.part(1).log
    assert ended.log.splitlines()[-1] == "0 2 node-a,node-b 3"
    assert ended.part(1).log.splitlines()[-1] == "1 2 node-a,node-b 3"


def test_a_command_alone_is_rank_0_of_1(nursery: Nursery, tmp_path: Path) -> None:
    line = "echo $FULCRUM_RANK $FULCRUM_WORLD_SIZE $FULCRUM_NODES [$MASTER_ADDR]"
    ended = nursery.run(tmp_path, "command", {"argv": ["bash", "-c", line]})
    assert ended.log == "0 1 node-a []\n"


def test_a_program_that_fails_ends_those_of_the_other_parts(
    nursery: Nursery, tmp_path: Path
) -> None:
    line = "[ $FULCRUM_RANK = 0 ] || exit 3; sleep 3600"
    ended = nursery.run(tmp_path, "command", {"argv": ["bash", "-c", line]}, nodes=(1, 1))
    assert ended.codes == [3, 3]
    assert ended.result["error"] == "rank 1 on node-b: exit code 3"
