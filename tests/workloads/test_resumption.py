"""A job that goes on from the checkpoints of the job that it repeats."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.workloads.conftest import Ended, Nursery
from tests.workloads.test_kept_epoch import UNSTEADY
from tests.workloads.test_train import same_bits

WORK = UNSTEADY | {"epochs": 4}
SCRIPT = (
    "import os, pathlib; folder = pathlib.Path(os.environ['FULCRUM_CHECKPOINTS']);"
    "state = folder / 'deep' / 'state'; state.parent.mkdir(exist_ok=True);"
    "print('resumed', os.environ['FULCRUM_RESUMED'], state.exists() and state.read_text());"
    "state.open('a').write('x')"
)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return nursery.run(tmp_path_factory.mktemp("whole"), "cnn-train", WORK)


@pytest.fixture
def stopped(nursery: Nursery, tmp_path: Path) -> Ended:
    hook = {"epoch": 2, "batch": 3, "signal": int(signal.SIGTERM)}
    return nursery.run(tmp_path / "12", "cnn-train", WORK, hook=hook)


def test_a_training_goes_on_and_ends_with_the_same_bits(
    whole: Ended, stopped: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    before = files(stopped.checkpoints)
    again = nursery.run(tmp_path / "13", "cnn-train", WORK, resume_from=stopped.checkpoints)
    assert again.code == 0, again.log
    assert "resumed after batch 4 of 8 in epoch 3 of 4" in again.log
    assert again.result["samples"] + stopped.result["samples"] == whole.result["samples"]
    assert again.result["kept_epoch"] == whole.result["kept_epoch"]
    assert same_bits(again, whole)
    assert files(stopped.checkpoints) == before


def test_its_model_is_there_before_the_next_epoch_ends(
    stopped: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    hook = {"epoch": 2, "batch": 5, "signal": int(signal.SIGTERM)}
    again = nursery.run(
        tmp_path / "13", "cnn-train", WORK, resume_from=stopped.checkpoints, hook=hook
    )
    assert again.result["kept_epoch"] == stopped.result["kept_epoch"]
    assert files(again.artifacts) == files(stopped.artifacts)


def test_later_attempts_go_on_from_their_own_checkpoints(
    stopped: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    source = stopped.checkpoints
    hook = {"epoch": 3, "batch": 1, "signal": int(signal.SIGTERM)}
    nursery.run(tmp_path / "13", "cnn-train", WORK, resume_from=source, hook=hook)
    shutil.rmtree(source)
    ended = nursery.run(tmp_path / "13", "cnn-train", WORK, number=2, resume_from=source)
    assert ended.code == 0, ended.log
    assert ended.result["resumed_after_epoch"] == 3


def test_checkpoints_that_are_gone_are_said_so(nursery: Nursery, tmp_path: Path) -> None:
    source = tmp_path / "12" / "checkpoints"
    ended = nursery.run(tmp_path / "13", "cnn-train", WORK, resume_from=source)
    assert (ended.code, ended.result["retriable"]) == (2, False)
    assert ended.result["error"].startswith("the checkpoints of job 12 are gone; ")
    assert "--from-scratch" in ended.result["error"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset": "folder"}, "classes was 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and is dark, light"),
        ({"model": "shufflenet_v2_x0_5"}, "model was simple-cnn and is shufflenet_v2_x0_5"),
    ],
)
def test_checkpoints_that_do_not_fit_are_said_so(
    change: dict[str, str],
    said: str,
    stopped: Ended,
    nursery: Nursery,
    photographs: Path,
    tmp_path: Path,
) -> None:
    if change.get("dataset"):
        change = {"dataset": f"folder:{photographs}", "image_size": 8}
    work = WORK | change
    ended = nursery.run(tmp_path / "13", "cnn-train", work, resume_from=stopped.checkpoints)
    assert ended.code == 2, ended.log
    assert said in ended.result["error"]
    assert "--from-scratch" in ended.result["error"]


@pytest.mark.parametrize("nodes", [(), (1, 1)])
def test_a_program_finds_what_the_other_job_saved(
    nodes: tuple[int, ...], nursery: Nursery, tmp_path: Path
) -> None:
    work = {"argv": ["python3", "-c", SCRIPT]}
    first = nursery.run(tmp_path / "12", "command", work)
    assert "resumed 0 False" in first.log
    second = nursery.run(
        tmp_path / "13", "command", work, resume_from=first.checkpoints, nodes=nodes
    )
    for rank in range(len(nodes) or 1):
        log = (second.part(rank) if rank else second).log
        assert "resumed 1 x" in log
    assert (first.checkpoints / "deep" / "state").read_text() == "x"


def test_a_program_that_removes_what_it_took_does_not_find_it_again(
    nursery: Nursery, tmp_path: Path
) -> None:
    first = nursery.run(tmp_path / "12", "command", {"argv": ["python3", "-c", SCRIPT]})
    remove = {"argv": ["sh", "-c", "rm -r $FULCRUM_CHECKPOINTS/*"]}
    look = {"argv": ["sh", "-c", "echo resumed $FULCRUM_RESUMED"]}
    nursery.run(tmp_path / "13", "command", remove, resume_from=first.checkpoints)
    ended = nursery.run(tmp_path / "13", "command", look, number=2, resume_from=first.checkpoints)
    assert "resumed 0" in ended.log
