"""Optimizers of a training, and how their learning rate falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from scheduler.workloads.spec.work import CnnTrainWork

_DEFAULTS: Mapping[str, tuple[Callable[..., Optimizer], Mapping[str, float]]] = {
    "adam": (torch.optim.Adam, {"weight_decay": 0.0}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.0}),
    "rmsprop": (torch.optim.RMSprop, {"momentum": 0.0, "weight_decay": 0.0}),
}
"""`optimizer` → its class, and what it takes besides the learning rate, with defaults."""


def optimizer(work: CnnTrainWork, learning: Sequence[nn.Parameter]) -> Optimizer:
    """The optimizer that `work` names, on the parameters that learn."""
    kind, options = chosen(work)
    return kind(learning, **options)


def chosen(work: CnnTrainWork) -> tuple[Callable[..., Optimizer], dict[str, float]]:
    """The class and the arguments of the optimizer that `work` names.

    Adam: Kingma and Ba 2015. AdamW, with weight decay beside the gradient: Loshchilov and Hutter
    2019, "Decoupled Weight Decay Regularization". RMSprop: Hinton 2012, lecture 6e of "Neural
    Networks for Machine Learning".
    """
    kind, options = _DEFAULTS[work.optimizer]
    given = {"weight_decay": work.weight_decay, "momentum": work.momentum}
    own = {name: value for name, value in given.items() if value is not None and name in options}
    return kind, {"lr": work.learning_rate, **options, **own}


def learning_rate(work: CnnTrainWork, epoch: int) -> float:
    """Of that epoch (from 0): constant, falling by `gamma` every `step_size`, or half a cosine.

    Cosine annealing: Loshchilov and Hutter 2017, "SGDR", eq. 5, without restarts.
    """
    if work.schedule == "step":
        return float(work.learning_rate * work.gamma ** (epoch // work.step_size))
    if work.schedule == "cosine":
        return work.learning_rate * (1 + math.cos(math.pi * epoch / work.epochs)) / 2
    return work.learning_rate
