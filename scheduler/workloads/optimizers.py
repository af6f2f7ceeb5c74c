"""Optimizers of a training, and how their learning rate falls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from scheduler.workloads.spec.work import CnnTrainWork

_ADAMW_WEIGHT_DECAY = 0.01
_SGD_MOMENTUM = 0.9


def optimizer(work: CnnTrainWork, learning: Sequence[nn.Parameter]) -> Optimizer:
    """The optimizer that `work` names, on the parameters that learn.

    Adam: Kingma and Ba 2015. AdamW, with weight decay beside the gradient: Loshchilov and Hutter
    2019, "Decoupled Weight Decay Regularization". RMSprop: Hinton 2012, lecture 6e of "Neural
    Networks for Machine Learning".
    """
    rate, decay = work.learning_rate, work.weight_decay or 0.0
    match work.optimizer:
        case "sgd":
            momentum = _SGD_MOMENTUM if work.momentum is None else work.momentum
            return torch.optim.SGD(learning, rate, momentum, weight_decay=decay)
        case "rmsprop":
            momentum = work.momentum or 0.0
            return torch.optim.RMSprop(learning, rate, momentum=momentum, weight_decay=decay)
        case "adamw":
            decay = _ADAMW_WEIGHT_DECAY if work.weight_decay is None else work.weight_decay
            return torch.optim.AdamW(learning, rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(learning, rate, weight_decay=decay)


def learning_rate(work: CnnTrainWork, epoch: int) -> float:
    """Of that epoch (from 0): constant, falling by `gamma` every `step_size`, or half a cosine.

    Cosine annealing: Loshchilov and Hutter 2017, "SGDR", eq. 5, without restarts.
    """
    if work.schedule == "step":
        return float(work.learning_rate * work.gamma ** (epoch // work.step_size))
    if work.schedule == "cosine":
        return work.learning_rate * (1 + math.cos(math.pi * epoch / work.epochs)) / 2
    return work.learning_rate
