"""Checkpoints of a training: after each epoch and, when it is asked to stop, inside one."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from scheduler.domain.errors import InputError
from scheduler.files import regular, write_bytes
from scheduler.json_values import write_json
from scheduler.workloads.context import Context
from scheduler.workloads.distributed.collectives import Vote
from scheduler.workloads.resumption import FROM_SCRATCH

MANIFEST = "manifest.json"
"""Beside the checkpoints: the newest one, and the attempt that wrote it."""
MadeFor = Mapping[str, str | int | list[str]]
"""What a training must have in common with the one that wrote a checkpoint."""
_MADE_FOR = "made_for"
_FEW = 10
_WHOLE, _PARTIAL = "epoch-*.ckpt", "epoch-*-*.ckpt"


class EpochCheckpoints(ModelCheckpoint):
    """Saves each whole epoch, and keeps the newest; stops the training where it is saved.

    From the first batch on a stop signal waits for the end of the batch, whose state is saved
    then. After an epoch's last batch it waits for the validation and the epoch's checkpoint.
    All ranks stop after the same batch, whichever of them got the signal.
    """

    def __init__(self, context: Context, epochs: int) -> None:
        super().__init__(
            context.checkpoints,
            filename="epoch-{epoch:06d}",
            auto_insert_metric_name=False,
            save_on_train_epoch_end=True,
        )
        self._context = context
        self._epochs = epochs
        self._vote = Vote()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on there is something to save."""
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)
        self._context.stop.postponed = True

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save and stop, if that is asked for. Raises `Stopped`."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.is_last_batch:
            return
        if self._vote.after_batch(self._context.stop.received):
            # Sorts between the checkpoints of the epochs before and after it.
            name = f"epoch-{trainer.current_epoch:06d}-{batch_idx + 1:06d}.ckpt"
            trainer.save_checkpoint(self._context.checkpoints / name)
            self._context.saved()
            self._stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save; what was saved inside the epoch is of no use any more. Raises `Stopped`."""
        super().on_train_epoch_end(trainer, pl_module)
        if self._context.rank.leads:
            for path in self._context.checkpoints.glob(_PARTIAL):
                path.unlink(missing_ok=True)
        self._context.saved((trainer.current_epoch + 1) / self._epochs)
        if self._vote.now(self._context.stop.received):
            self._stop()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What is left is short, and is done again from the last checkpoint."""
        super().on_train_end(trainer, pl_module)
        self._context.stop.postponed = False

    def _stop(self) -> None:
        self._context.stop.adopt(signal.SIGTERM)
        self._context.stop.check()


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, and load without running code.

    Each is the job's newest state once `MANIFEST` names it. Only the newest attempt of the job
    writes: an older one that still runs somewhere can waste its own time, no more.
    """

    def __init__(self, context: Context, made_for: MadeFor) -> None:
        super().__init__()
        self._context = context
        self._made_for = made_for

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: Any,
        storage_options: Any = None,
    ) -> None:
        """Write beside, then rename. Raises `SupersededError` if a newer attempt was launched."""
        buffer = io.BytesIO()
        torch.save({**checkpoint, _MADE_FOR: dict(self._made_for)}, buffer)
        self._context.check_owner()
        write_bytes(Path(path), buffer.getvalue())
        spec = self._context.spec
        said = {"attempt": spec.attempt, "nonce": spec.nonce, "checkpoint": Path(path).name}
        self._context.check_owner()
        write_json(Path(path).with_name(MANIFEST), said)


def require_fit(path: Path, made_for: MadeFor) -> None:
    """Raise `InputError` if the checkpoint is of another training, and say what differs."""
    found = torch.load(path, map_location="cpu", weights_only=True, mmap=True).get(_MADE_FOR)
    if found is None:  # by a version that did not say
        return
    for name, value in made_for.items():
        if found.get(name) != value:
            problem = (
                f"its checkpoint {path.name} is of another training: {name} was "
                f"{_listed(found.get(name))} and is {_listed(value)}; {FROM_SCRATCH}"
            )
            raise InputError(problem, {"work": problem})


def _listed(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    more = f", … ({len(value)} in all)" if len(value) > _FEW else ""
    return ", ".join(map(str, value[:_FEW])) + more


def newest(folder: Path) -> Path | None:
    """The checkpoint that `MANIFEST` names, or else the last that can be read.

    Older and broken ones are removed, as is what an attempt that was given up wrote later.
    """
    found: Path | None = None
    for path in _in_order(folder):
        if found is None and _readable(path):
            found = path
        else:
            path.unlink(missing_ok=True)
    for draft in folder.glob(".*.tmp"):  # of an attempt that was killed while writing
        draft.unlink(missing_ok=True)
    return found


def _in_order(folder: Path) -> list[Path]:
    """The checkpoint that the manifest names, then the later ones first."""
    try:
        with regular(folder / MANIFEST) as file:
            named = json.loads(file.read())["checkpoint"]
    except (OSError, ValueError, KeyError, TypeError):
        named = None
    later_first = sorted(folder.glob(_WHOLE), reverse=True)
    return sorted(later_first, key=lambda path: path.name != named)


def _readable(path: Path) -> bool:
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever it is, an older checkpoint or the start will do
        print(f"checkpoint {path.name} cannot be read and is left out: {error}")
        return False
    return True
