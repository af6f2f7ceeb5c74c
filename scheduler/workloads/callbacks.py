"""What happens beside the learning: reports, and an early end."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping

from scheduler.domain.errors import InputError
from scheduler.workloads.context import Context
from scheduler.workloads.models.optimizers import learning_rate
from scheduler.workloads.module import VALIDATION, Classifier
from scheduler.workloads.spec.work import WATCHED, CnnTrainWork

Row = dict[str, Any]
"""One epoch: its number (from 1), losses, scores, learning rate."""

_MOST_CLASSES_IN_A_LINE = 100


class Reporter(Callback):
    """Tells the context and the log how the training goes, and keeps its history.

    The history is part of the checkpoint: a resumed training ends with all epochs.
    """

    def __init__(self, context: Context, images: int, epochs: int) -> None:
        self.history: list[Row] = []
        self.resumed = 0
        """Epochs that an earlier attempt had done."""
        self._context = context
        self._images = images
        self._epochs = epochs
        self._begun = 0.0
        self._seen = 0
        """Images of the running epoch that this attempt worked on."""

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say where an earlier attempt is taken up."""
        assert isinstance(module, Classifier)
        self._begun = time.monotonic()
        if module.done_batches:
            where = f"batch {module.done_batches} of {trainer.num_training_batches}"
            epoch = f"epoch {self.resumed + 1} of {self._epochs}"
            print(f"resumed after {where} in {epoch}", flush=True)
        elif self.resumed:
            print(f"resumed after epoch {self.resumed} of {self._epochs}", flush=True)

    def on_train_epoch_start(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Measure the epoch."""
        self._begun, self._seen = time.monotonic(), 0

    def on_train_batch_start(self, *_: Any) -> None:
        """From here on samples are worked on."""
        self._context.begin()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        _outputs: Any,
        _batch: Any,
        _index: int,
    ) -> None:
        """Count the images of all ranks."""
        assert isinstance(module, Classifier)
        done = trainer.current_epoch * self._images + module.train_images
        self._seen += module.step_images
        batches = trainer.num_training_batches
        self._context.advance(
            module.step_images,
            done / (self._images * self._epochs),
            epoch=trainer.current_epoch + 1,
            epochs=self._epochs,
            batch=min(batches, math.ceil(module.train_images / module.work.batch_size)),
            batches=int(batches),
            **self._best(),
        )

    def _best(self) -> dict[str, float | None]:
        """The epoch that validated best so far, by accuracy; None before the first."""
        name = "validation_accuracy"
        rows = [row for row in self.history if name in row]
        best = max(rows, key=lambda row: float(row[name]), default={})
        return {"best_epoch": best.get("epoch"), "best_accuracy": best.get(name)}

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """One line in the log, one in the metrics, one row of the history.

        Raises `InputError` once the loss is no longer a number.
        """
        assert isinstance(module, Classifier)
        epoch = trainer.current_epoch
        train_loss, train_hits = module.sums()
        loss = (train_loss / module.train_images).item()
        row: Row = {
            "epoch": epoch + 1,
            "learning_rate": learning_rate(module.work, epoch),
            "train_loss": loss,
            "train_accuracy": (train_hits / module.train_images).item(),
        }
        measured = dict(module.measured)
        confusion = measured.pop("confusion", [])
        row |= {f"validation_{name}": value for name, value in measured.items()}
        self.history.append(row)
        seconds = time.monotonic() - self._begun
        rate = self._seen / max(seconds, 1e-6)
        extra = {"confusion": confusion} if 0 < len(confusion) <= _MOST_CLASSES_IN_A_LINE else {}
        self._context.emit(
            "epoch",
            **row,
            epochs=self._epochs,
            seconds=round(seconds, 3),
            samples_per_s=round(rate, 1),
            **extra,
        )
        text = f"epoch {epoch + 1}/{self._epochs}: loss {loss:.4f}"
        text += f", accuracy {row['train_accuracy']:.4f}"
        if measured:
            text += f"; validation: loss {measured['loss']:.4f}"
            text += f", accuracy {measured['accuracy']:.4f}, F1 {measured['f1']:.4f}"
        print(f"{text}; {rate:,.0f} images/s", flush=True)
        if not math.isfinite(loss):
            problem = f"the loss is no finite number any more in epoch {epoch + 1}"
            fields = {"work.learning_rate": f"{problem}; lower than {module.work.learning_rate:g}"}
            raise InputError(f"{problem}: the learning rate is too high", fields)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.history = list(state_dict["history"])
        self.resumed = len(self.history)


class Patience(EarlyStopping):
    """Early stopping that holds over restarts."""

    def __init__(self, work: CnnTrainWork, patience: int) -> None:
        name, sign = WATCHED[work.keep] or ("loss", -1)
        mode = "min" if sign < 0 else "max"
        super().__init__(f"{VALIDATION}{name}", patience=patience, mode=mode)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A training that was killed after its last epoch must not go on for another."""
        super().on_train_start(trainer, pl_module)
        if self.wait_count >= self.patience:
            trainer.should_stop = True
