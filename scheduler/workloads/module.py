"""The Lightning side of a training: what is learned, from which batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from scheduler.workloads.data.augmentations import augmentation
from scheduler.workloads.data.datasets import DatasetParts
from scheduler.workloads.data.images import Batch, Batches, ImageSource, Prepared, loader, mix
from scheduler.workloads.distributed import collectives
from scheduler.workloads.distributed.ranks import ALONE, Rank
from scheduler.workloads.models import architectures
from scheduler.workloads.models.optimizers import learning_rate, optimizer
from scheduler.workloads.scoring import class_scores
from scheduler.workloads.scoring.class_scores import ClassScores
from scheduler.workloads.spec.work import CnnTrainWork

VALIDATION = "validation_"
"""Before the names of the figures that early stopping may watch."""


class Classifier(pl.LightningModule):
    """A network under training, with its measurements of the running epoch."""

    def __init__(
        self, network: nn.Module, work: CnnTrainWork, classes: int, rank: Rank = ALONE
    ) -> None:
        super().__init__()
        self.network = network
        self.work = work
        self.rank = rank
        self.metrics = class_scores.collection(classes)
        self.train_loss = torch.zeros(())
        """Sum over this rank's images of the running epoch."""
        self.train_hits = torch.zeros(())
        self.train_images = 0
        """Images of the running epoch that all ranks have seen."""
        self.step_images = 0
        """Images of the newest batch, over all ranks."""
        self._loss = torch.zeros(())
        self._images = 0
        self.measured: dict[str, Any] = {}
        """The newest measurement of a validation or a test: loss, accuracy, precision, …"""
        self.scores: ClassScores | None = None
        """The same measurement with the scores of each class."""
        self._interrupted: dict[str, Any] = {}
        """The running epoch as a checkpoint inside it holds it, until it is taken up."""

    @property
    def done_batches(self) -> int:
        """Batches of the epoch to be taken up that an earlier attempt has done."""
        return int(self._interrupted.get("batches", 0))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Inside an epoch: add what `on_train_epoch_start` would begin again."""
        if self.trainer.is_last_batch:
            return
        on_gpu = self.device.type == "cuda"
        own = {
            "loss": self.train_loss.cpu(),
            "hits": self.train_hits.cpu(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if on_gpu else None,
        }
        checkpoint["running_epoch"] = {
            "batches": self.trainer.fit_loop.epoch_loop.batch_progress.current.ready,
            "images": self.train_images,
            "ranks": collectives.from_all(own),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the running epoch until its first batch."""
        self._interrupted = checkpoint.get("running_epoch", {})

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        """Take up an epoch where it was interrupted."""
        running, self._interrupted = self._interrupted, {}
        if not running:
            return
        self._set_modes()
        self.train_images = running["images"]
        ranks = running.get("ranks", [running])  # one process, by a version that knew no ranks
        if len(ranks) == self.rank.world:
            self._take_up(ranks[self.rank.index])
        elif self.rank.leads:  # at another width: what is left of the epoch draws afresh
            self.train_loss = sum(one["loss"] for one in ranks).to(self.device)
            self.train_hits = sum(one["hits"] for one in ranks).to(self.device)

    def _take_up(self, own: dict[str, Any]) -> None:
        self.train_loss = own["loss"].to(self.device)
        self.train_hits = own["hits"].to(self.device)
        torch.set_rng_state(own["random"].cpu())
        if self.device.type == "cuda" and isinstance(own["random_cuda"], Tensor):
            torch.cuda.set_rng_state(own["random_cuda"].cpu(), self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The job's optimizer, on what is not frozen."""
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return optimizer(self.work, learning)

    def on_train_epoch_start(self) -> None:
        """Everything an epoch draws by chance depends on the seed and its number alone.

        So does its learning rate: a resumed training needs no memory of earlier epochs but the
        weights and the optimizer's state.
        """
        epoch = self.current_epoch
        own = () if self.rank.leads else (self.rank.index,)  # else all drop the same units
        torch.manual_seed(mix(self.work.seed, epoch, *own))
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = learning_rate(self.work, epoch)
        self._set_modes()
        self.train_loss = self.train_hits = torch.zeros((), device=self.device)
        self.train_images = 0

    def _set_modes(self) -> None:
        if self.work.freeze:
            self.network.eval()
            architectures.head(self.network)[1].train()

    def sums(self) -> tuple[Tensor, Tensor]:
        """Loss and hits over the images of the running epoch that all ranks have seen."""
        both = collectives.total(torch.stack([self.train_loss, self.train_hits.float()]))
        return both[0], both[1]

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Cross-entropy of one batch, weighed so that the mean over ranks is that of all images."""
        images, labels = batch
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.step_images = data.train_batches.images(index)
        self.train_images += self.step_images
        if not len(labels):  # the others' gradients count, and wait for this rank's zeros
            learning = [one.sum() for one in self.parameters() if one.requires_grad]
            return torch.stack(learning).sum() * 0.0
        logits = self.network(images)
        smoothing = self.work.label_smoothing
        loss = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        self.train_loss = self.train_loss + loss.detach() * len(labels)
        self.train_hits = self.train_hits + (logits.detach().argmax(1) == labels).sum()
        if self.rank.world == 1:
            return loss
        return loss * (len(labels) * self.rank.world / self.step_images)

    def on_validation_epoch_start(self) -> None:
        """Begin a new measurement."""
        self.metrics.reset()
        self._loss, self._images = torch.zeros((), device=self.device), 0

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Measure one batch."""
        images, labels = batch
        if not len(labels):
            return
        logits = self.network(images).float()
        self._loss = self._loss + nn.functional.cross_entropy(logits, labels, reduction="sum")
        self._images += len(labels)
        self.metrics.update(logits, labels)

    def on_validation_epoch_end(self) -> None:
        """Leave the epoch's measurement of all ranks in `measured`."""
        found = self.metrics.compute()
        self.scores = class_scores.scores(found)
        images = int(collectives.total(torch.tensor(self._images)))
        loss = collectives.total(self._loss) / images
        self.measured = {
            "loss": loss.item(),
            **self.scores.metrics,
            "confusion": self.scores.confusion,
        }
        if self.trainer.validating or self.trainer.training:
            self.log(f"{VALIDATION}loss", loss)
            self.log(f"{VALIDATION}accuracy", found["accuracy"])

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end


class ImageData(pl.LightningDataModule):
    """The loaded parts as batches; every epoch makes new ones of the training's."""

    def __init__(
        self,
        parts: DatasetParts,
        work: CnnTrainWork,
        *,
        edge: int,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        rank: Rank = ALONE,
    ) -> None:
        super().__init__()
        self._work = work
        self._rank = rank

        def prepared(source: ImageSource, augment: v2.Transform | None = None) -> Prepared:
            return Prepared(
                source,
                edge=edge,
                channels=channels,
                mean=mean,
                std=std,
                augment=augment,
                seed=work.seed,
            )

        self.train = prepared(parts.train, augmentation(work.augmentation, edge))
        self.validation = prepared(parts.validation) if parts.validation is not None else None
        self.test = prepared(parts.test)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Of the trainer's current epoch, shuffled, without what an earlier attempt has done.

        Of each batch this rank gets its share, as in validation and test.
        """
        epoch = done = 0
        if self.trainer is not None:
            assert isinstance(self.trainer.lightning_module, Classifier)
            epoch, done = self.trainer.current_epoch, self.trainer.lightning_module.done_batches
        self.train_batches = Batches(
            len(self.train),
            self._work.batch_size,
            epoch=epoch,
            seed=self._work.seed,
            done=done,
            rank=self._rank,
        )
        return loader(self.train, self.train_batches, self._work.loader_workers)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Of the validation part; an empty list if there is none."""
        return [] if self.validation is None else self._in_order(self.validation)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Of the test part."""
        return self._in_order(self.test)

    def _in_order(self, dataset: Prepared) -> DataLoader[Batch]:
        batches = Batches(len(dataset), max(self._work.batch_size, 64), rank=self._rank)
        return loader(dataset, batches, self._work.loader_workers)
