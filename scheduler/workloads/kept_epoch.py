"""The epoch whose weights become the job's model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from scheduler.json_values import plain
from scheduler.workloads.context import Context
from scheduler.workloads.models import weights
from scheduler.workloads.models.weights import Card, State
from scheduler.workloads.module import Classifier
from scheduler.workloads.spec.work import WATCHED, CnnTrainWork

_STATE = "kept_epoch"
"""The name of what a checkpoint holds of it."""
_NETWORK = "network."
"""Before the names of the network's weights in a checkpoint."""


class KeptEpoch(Callback):
    """Keeps the weights of the best epoch, or of the last one, as `work.keep` says.

    They are written as the job's model at once. So a training that is cancelled, runs out of
    time or loses its machine leaves a model too. Of epochs that are equally good the first is
    kept. Without validation images the last epoch is kept.
    """

    def __init__(self, work: CnnTrainWork, context: Context, card: Card, validated: bool) -> None:
        """`validated`: whether there are validation images."""
        self.epoch = 0
        """Its number (from 1); 0: no epoch has ended yet."""
        self.figures: dict[str, float] = {}
        """Its measurement on the validation images: loss, accuracy, precision, recall, F1."""
        self.weights: State = {}
        self._watched = WATCHED[work.keep] if validated else None
        self._context = context
        self._card = card

    @property
    def summary(self) -> dict[str, Any]:
        """The part of the result that tells which epoch the model is of."""
        if not self.epoch:
            return {}
        return {"kept_epoch": self.epoch, "validation": self.figures}

    @property
    def card(self) -> Card:
        """What model.json says of the model."""
        figures = {name: plain(value) for name, value in self.figures.items()}
        return replace(self._card, epoch=self.epoch, validation=figures)

    @property
    def reason(self) -> str:
        """Why it is this epoch, for the log."""
        if self._watched is None:
            return "the last one"
        name, sign = self._watched
        extreme = "lowest" if sign < 0 else "highest"
        return f"the {extreme} validation {name}, {self.figures[name]:.4f}"

    def on_train_start(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Leave the model of an earlier attempt, perhaps one of another job, as this job's."""
        self._leave()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Keep the epoch if it is better than the one that is kept."""
        assert isinstance(module, Classifier)
        figures = {name: one for name, one in module.measured.items() if name != "confusion"}
        if self.epoch and not self._better(figures):
            return
        self.epoch, self.figures = trainer.current_epoch + 1, figures
        self.weights = weights.copy(module.network)
        self._leave()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, _module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the weights, unless they are the ones that the checkpoint holds anyway."""
        newest = self.epoch == trainer.current_epoch + 1
        checkpoint[_STATE] = {
            "epoch": self.epoch,
            "figures": self.figures,
            "weights": {} if newest else self.weights,
        }

    def on_load_checkpoint(
        self, _trainer: pl.Trainer, _module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """From the checkpoint."""
        state = checkpoint.get(_STATE)
        if state is None or not state["epoch"]:
            return
        self.epoch, self.figures = state["epoch"], state["figures"]
        self.weights = state["weights"] or _network(checkpoint["state_dict"])

    def _better(self, figures: Mapping[str, float]) -> bool:
        if self._watched is None:
            return True
        name, sign = self._watched
        return math.isnan(self.figures[name]) or sign * figures[name] > sign * self.figures[name]

    def _leave(self) -> None:
        """Write the model, and tell which one it is in case the training does not end well."""
        if not self.epoch or not self._context.rank.leads:
            return
        self._context.check_owner()
        weights.save(self._context.artifacts, self.weights, self.card)
        self._context.left = self.summary


def _network(state: Mapping[str, Any]) -> State:
    """The network's weights among those of a checkpoint, in host memory."""
    return {
        name.removeprefix(_NETWORK): value.detach().cpu().clone()
        for name, value in state.items()
        if name.startswith(_NETWORK)
    }
