"""The kind `cnn-train`: train, test, leave a model and its figures behind.

A training that was interrupted ends with the same bits as one that was not, on CPUs, at the same
width on as many nodes. Killed, it goes on after its last whole epoch: every epoch draws its order,
its augmentation and its dropout from (seed, epoch), and the checkpoint holds weights, optimizer
and history. Asked to stop, it goes on after its last batch: that checkpoint holds the random
states, the number of batches and the sums of the running epoch too.

On several GPUs or nodes every rank computes the gradients of its share of each batch, and all
take the same step with their mean over the batch (`distributed`). So a step sees the same images
at every width, and the learning rate means the same. Batch normalisation uses the statistics of a
rank's own share, as in Goyal et al. 2017, "Accurate, Large Minibatch SGD", sec. 3.2; the running
statistics are those of rank 0.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch

from scheduler.domain.errors import InputError
from scheduler.domain.resources import DeviceKind
from scheduler.files import write_bytes
from scheduler.json_values import plain
from scheduler.workloads.callbacks import Patience, Reporter, Row
from scheduler.workloads.checkpoints import (
    AtomicCheckpoints,
    EpochCheckpoints,
    MadeFor,
    newest,
    require_fit,
)
from scheduler.workloads.context import Context
from scheduler.workloads.data import datasets
from scheduler.workloads.data.datasets import DatasetParts
from scheduler.workloads.distributed import collectives, strategy
from scheduler.workloads.kept_epoch import KeptEpoch
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.module import Classifier, ImageData
from scheduler.workloads.scoring.class_scores import table_bytes
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.work import CnnTrainWork

SKIPPED_NAMED = 20
"""So many unreadable images are named in a result."""
_CACHE_BYTES = 512 * 2**20


def train(work: CnnTrainWork, context: Context) -> dict[str, Any]:
    """Run the whole training; the result's part that is its own.

    Raises `InputError` for data or weights that cannot be used.
    """
    edge = work.image_size or tables.default_image_size(work.model, work.dataset)
    parts = datasets.load(work, edge, threads=threads(context), cache_bytes=cache_bytes(context))
    _check_alike(parts, context)
    channels = architectures.input_channels(work.model, parts.channels)
    mean, std = weights.normalisation(work.normalise, channels)
    card = weights.Card(
        model=work.model,
        classes=parts.classes,
        image_size=edge,
        channels=channels,
        mean=mean,
        std=std,
        dataset=work.dataset,
        test_fraction=work.test_fraction if _test_was_split_off(work) else None,
    )
    torch.manual_seed(work.seed)
    network = card.network()
    if isinstance(work.weights, str):  # of a job: the launch named its file
        _start_from(work.weights, network, work.model, len(parts.classes))
    if work.freeze:
        architectures.freeze(network)
    data = ImageData(
        parts, work, edge=edge, channels=channels, mean=mean, std=std, rank=context.rank
    )
    print(_headline(work, card, parts, context), flush=True)

    module = Classifier(network, work, len(parts.classes), context.rank)
    reporter = Reporter(context, len(data.train), work.epochs)
    kept = KeptEpoch(work, context, card, validated=parts.validation is not None)
    patience = [Patience(work, work.early_stopping)] if work.early_stopping else []
    made_for = _made_for(work, card)
    trainer = _trainer(work, context, [reporter, kept, *patience], made_for)
    with loaders_in_words():
        _fit(trainer, module, data, context, made_for)
        if kept.epoch:  # unless an older version, which kept none, did all epochs
            print(f"epoch {kept.epoch} of {work.epochs} is tested: {kept.reason}", flush=True)
            weights.load(network, kept.weights, "work")
        trainer.test(module, datamodule=data, verbose=False)
    return _leave(context, module, kept, reporter, parts)


def _start_from(file: str, network: torch.nn.Module, model: str, classes: int) -> None:
    """Start from these weights, and tell the log."""
    replaced = weights.initial(network, model, file)
    head = f"; its head of {replaced} classes is replaced by a new one of {classes}"
    print(f"starts from the weights {file}{head if replaced else ''}", flush=True)


def threads(context: Context) -> int:
    """CPU threads for this process: its part's cores, or a few beside its GPU."""
    if context.device_kind is DeviceKind.CPU:
        return context.width
    processes = context.rank.parts[context.rank.part]
    return max(1, min(4 * context.width, len(os.sched_getaffinity(0))) // processes)


def cache_bytes(context: Context) -> int:
    """Host memory for decoded images: a quarter of what the part may take, 512 MiB at most.

    The processes of a part share it.
    """
    limit = context.spec.part.memory_bytes
    most = min(_CACHE_BYTES, limit // 4) if limit else _CACHE_BYTES
    return most // context.rank.parts[context.rank.part]


def _check_alike(parts: DatasetParts, context: Context) -> None:
    """Raises `InputError` if the nodes of the attempt hold different images under one name."""
    if context.rank.world == 1:
        return
    digest = hashlib.sha256(repr((parts.classes, parts.channels)).encode())
    for source in (parts.train, parts.validation, parts.test):
        digest.update(b"" if source is None else source.labels.tobytes())
    digests = collectives.from_all(digest.hexdigest())
    other = next((rank for rank, one in enumerate(digests) if one != digests[0]), None)
    if other is not None:
        problem = f"rank {other} finds other images in this dataset than rank 0"
        raise InputError(problem, {"work.dataset": problem})


def _made_for(work: CnnTrainWork, card: weights.Card) -> MadeFor:
    return {
        "model": card.model,
        "classes": list(card.classes),
        "image_size": card.image_size,
        "channels": card.channels,
        "optimizer": work.optimizer,
    }


def _trainer(
    work: CnnTrainWork, context: Context, callbacks: Sequence[pl.Callback], made_for: MadeFor
) -> pl.Trainer:
    on_cpu = context.device_kind is DeviceKind.CPU
    trainer = pl.Trainer(
        **strategy.options(context.rank, context.device_kind),
        precision=_precision(work, on_cpu),
        max_epochs=work.epochs,
        logger=False,
        callbacks=[*callbacks, EpochCheckpoints(context, work.epochs)],
        plugins=[AtomicCheckpoints(context, made_for)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        deterministic=on_cpu,
        benchmark=not on_cpu,
        default_root_dir=context.folder,
    )
    # It would take SIGTERM for itself, with a broadcast inside the handler and one per batch.
    trainer._signal_connector.register_signal_handlers = _nothing  # type: ignore[method-assign]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _nothing  # type: ignore[method-assign]
    return trainer


def _nothing() -> None:
    """In place of what a library would do."""


def _fit(
    trainer: pl.Trainer,
    module: Classifier,
    data: ImageData,
    context: Context,
    made_for: MadeFor,
) -> None:
    found = newest(context.checkpoints) if context.rank.leads else None
    if found is not None:
        require_fit(found, made_for)
    checkpoint = collectives.from_first(found)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        problem = "this network needs at least 2 images at a time to normalise over"
        raise InputError(f"batch_size: {problem}", {"work.batch_size": problem}) from None


@contextmanager
def loaders_in_words() -> Iterator[None]:
    """Raises `RuntimeError` that says what to do if a loader process died."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RuntimeError(
            "a loader process was killed, perhaps for want of memory: ask for more memory or for "
            f"fewer loader_workers ({str(error).partition(chr(10))[0]})"
        ) from None


def _precision(work: CnnTrainWork, on_cpu: bool) -> Any:
    if not work.mixed_precision:
        return "32-true"
    if on_cpu:
        print("mixed_precision is for CUDA; this attempt runs on a CPU in float32")
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"


def _test_was_split_off(work: CnnTrainWork) -> bool:
    known = tables.DATASETS.get(work.dataset)
    return known is not None and not known.test


def _headline(work: CnnTrainWork, card: weights.Card, parts: DatasetParts, context: Context) -> str:
    sizes = [len(parts.train.labels), len(parts.validation.labels) if parts.validation else 0]
    sizes.append(len(parts.test.labels))
    return (
        f"{work.model} on {work.dataset}: {len(card.classes)} classes, "
        f"{sizes[0]} training, {sizes[1]} validation and {sizes[2]} test images "
        f"at {card.image_size} px" + _spread(work, context)
    )


def _spread(work: CnnTrainWork, context: Context) -> str:
    """Over how many processes the batches go, for the log; empty for one."""
    rank = context.rank
    if rank.world == 1:
        return ""
    idle = max(0, rank.world - max(1, work.batch_size // 2))
    few = f"; batches of {work.batch_size} leave {idle} of them idle" if idle else ""
    return f", on {rank.world} processes of {len(rank.parts)} nodes{few}"


def _leave(
    context: Context,
    module: Classifier,
    kept: KeptEpoch,
    reporter: Reporter,
    parts: DatasetParts,
) -> dict[str, Any]:
    """Write the artifacts; the result. Rank 0 does it for all."""
    if not context.rank.leads:
        return {}
    assert module.scores is not None, "it was tested"
    metrics = dict(module.measured)
    confusion = metrics.pop("confusion")
    context.emit("test", **metrics, confusion=confusion)
    text = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    print(f"test on {len(parts.test.labels)} images: {text}", flush=True)
    folder = context.artifacts
    context.check_owner()
    described = {name: plain(value) for name, value in metrics.items()}
    card = replace(kept.card, metrics=described)
    weights.save(folder, weights.copy(module.network), card)
    module.scores.write(folder, card.classes)
    write_bytes(folder / "history.csv", _history_csv(reporter.history))
    return {
        "metrics": metrics,
        **module.scores.result(card.classes),
        "epochs": len(reporter.history),
        **kept.summary,
        "resumed_after_epoch": reporter.resumed,
        "train_images": len(parts.train.labels),
        "validation_images": len(parts.validation.labels) if parts.validation else 0,
        "test_images": len(parts.test.labels),
        "skipped_images": len(parts.skipped),
        "skipped": list(parts.skipped[:SKIPPED_NAMED]),
    }


def _history_csv(history: Sequence[Row]) -> bytes:
    names = list(history[0]) if history else []
    return table_bytes([names, *([row.get(name, "") for name in names] for row in history)])
