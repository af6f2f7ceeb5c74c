"""Checkpoints when two attempts of one job run at once, because a node could not be reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.ownership import fences
from scheduler.workloads.checkpoints import MANIFEST, AtomicCheckpoints, newest
from scheduler.workloads.context import Context


def _context(root: Path, number: int) -> Context:
    spec = LaunchSpec(
        attempt=f"1.{number}",
        nonce=f"n{number}",
        job_nonce="j",
        kind=JobKind.CNN_TRAIN,
        work={},
        folder=root / f"attempt-{number}",
        shared=root,
        parts=(Part(LOCAL, DeviceKind.CPU),),
    )
    return Context(spec)


def _save(context: Context, epoch: int) -> None:
    state = {"epoch": torch.tensor(epoch)}
    AtomicCheckpoints(context, {}).save_checkpoint(
        state, context.checkpoints / f"epoch-{epoch:06d}.ckpt"
    )


def test_an_attempt_that_was_given_up_changes_neither_checkpoints_nor_manifest(
    tmp_path: Path,
) -> None:
    old, new = _context(tmp_path, 1), _context(tmp_path, 2)
    fences.take(tmp_path, "1.1", "n1")
    _save(old, 3)
    fences.take(tmp_path, "1.2", "n2")
    with pytest.raises(fences.SupersededError):
        _save(old, 4)
    _save(new, 3)
    assert {path.name for path in new.checkpoints.iterdir()} == {"epoch-000003.ckpt", MANIFEST}
    said = json.loads((new.checkpoints / MANIFEST).read_text())
    assert said == {"attempt": "1.2", "nonce": "n2", "checkpoint": "epoch-000003.ckpt"}


def test_the_next_attempt_goes_on_where_the_manifest_says(tmp_path: Path) -> None:
    context = _context(tmp_path, 1)
    _save(context, 9)  # written before it was given up, and named by no manifest since
    _save(context, 3)
    found = newest(context.checkpoints)
    assert found is not None
    assert found.name == "epoch-000003.ckpt"
    assert [path.name for path in context.checkpoints.glob("*.ckpt")] == ["epoch-000003.ckpt"]


@pytest.mark.parametrize("text", ["", "[]", '{"checkpoint": "epoch-000007.ckpt"}'])
def test_without_a_manifest_that_helps_the_last_checkpoint_counts(
    tmp_path: Path, text: str
) -> None:
    context = _context(tmp_path, 1)
    _save(context, 1)
    _save(context, 2)
    (context.checkpoints / MANIFEST).write_text(text)
    found = newest(context.checkpoints)
    assert found is not None
    assert found.name == "epoch-000002.ckpt"
