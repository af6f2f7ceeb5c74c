"""Throughputs of each kind of work on each device: measured elsewhere, or computed from its size.

Fulcrum's own table is computed: an image costs its network's FLOPs (three times as many in
training as in a forward pass) over the device's sustained rate, plus its part of the time that
every step costs whatever its size. That part is why small networks gain little from a fast GPU,
and why the most expensive device is not the best for all. Both figures are rough on purpose; a
measured table (`envs.workloads.traces.gavel`) can replace them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from scheduler.domain.jobs import JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.estimates.calibration import PRIOR_EXPONENT

NETWORKS = (
    "simple-cnn",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "densenet121",
    "convnext_tiny",
    "vgg16",
)
"""Architectures of the computed table."""
BATCH = 32
"""Images per step."""
STEP_S: Mapping[tuple[JobKind, DeviceKind], float] = {
    (JobKind.CNN_TRAIN, DeviceKind.CUDA): 5e-3,
    (JobKind.CNN_INFER, DeviceKind.CUDA): 2e-3,
    (JobKind.CNN_TRAIN, DeviceKind.CPU): 1e-3,
    (JobKind.CNN_INFER, DeviceKind.CPU): 3e-4,
}
"""Seconds of a step that do not depend on the network's size: launching a few hundred kernels of
about 10 µs each on a GPU, Python and the optimizer everywhere. An assumption."""
PASSES = {JobKind.CNN_TRAIN: 3.0, JobKind.CNN_INFER: 1.0}
"""A training step costs about three forward passes."""
ACTIVATION_BYTES_PER_FLOP = 6e-3
"""Memory kept per image for the backward pass: about 50 MB for ResNet-50 with 8.2 GFLOP."""
TRAINING_BYTES_PER_PARAMETER = 16
"""Single-precision weight, gradient and the two moments of Adam."""
CONTEXT_BYTES = 1 << 30
"""Process, libraries, CUDA context."""

Task = tuple[str, int]
"""Work and width."""


@dataclass(frozen=True, slots=True)
class Throughputs:
    """Rates by work, device and width."""

    name: str
    unit: str
    """Of the rates: `images/s` or `steps/s`."""
    rates: Mapping[str, Mapping[str, Mapping[int, float]]]
    """Work → device → width → rate; 0: it cannot run so (out of memory)."""
    kinds: Mapping[str, JobKind]
    """Of each work."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """Work → bytes of one attempt; absent: unknown."""
    paired: Mapping[tuple[str, Task, Task], tuple[float, float]] = field(default_factory=dict)
    """(device, task, other task) → rates of both when they share the devices."""
    exponent: float = PRIOR_EXPONENT
    """Rate grows as width^exponent where a width was not measured."""
    source: str = ""

    def works(self, kind: JobKind) -> tuple[str, ...]:
        """Works of a kind, in the table's order."""
        return tuple(work for work, its in self.kinds.items() if its is kind)

    def rate(self, work: str, model: str, width: int = 1) -> float | None:
        """Rate on `width` devices of a model; None if it cannot run there or nothing is known.

        A device of the table stands for a model if all its words are in the model's name; the
        one with most words counts. Another width is scaled from the nearest one by ratio.
        """
        device = _standing_for(model, self.rates.get(work, {}))
        if device is None:
            return None
        known = self.rates[work][device]
        if width in known:
            return known[width] or None
        measured = [other for other, rate in known.items() if rate > 0]
        if not measured:
            return None
        nearest = min(measured, key=lambda other: abs(math.log(other / width)))
        return known[nearest] * float((width / nearest) ** self.exponent)

    def completed(self, other: Throughputs) -> Throughputs:
        """This table, with the other's works of kinds of which this one has none.

        Rates of different works are never compared, so their units may differ.
        """
        own = set(self.kinds.values())
        added = {work: kind for work, kind in other.kinds.items() if kind not in own}
        return replace(
            self,
            rates={**self.rates, **{work: other.rates[work] for work in added}},
            kinds={**self.kinds, **added},
            memory={**self.memory, **{w: other.memory[w] for w in added if w in other.memory}},
        )


def computed(pools: Iterable[Pool], networks: Iterable[str] = NETWORKS) -> Throughputs:
    """Images per second of training and inference on each pool's device model."""
    rates: dict[str, dict[str, dict[int, float]]] = {}
    kinds: dict[str, JobKind] = {}
    memory: dict[str, int] = {}
    pools = tuple(pools)
    for kind in (JobKind.CNN_TRAIN, JobKind.CNN_INFER):
        for network in networks:
            work = f"{kind}:{network}"
            figures = _networks()[network]
            kinds[work], memory[work] = kind, memory_bytes(kind, network)
            rates[work] = {
                pool.model: {
                    1: 1
                    / (
                        PASSES[kind] * figures["flops"] / pool.flops_per_device
                        + STEP_S[kind, pool.kind] / BATCH
                    )
                }
                for pool in pools
            }
    source = "FLOPs of the networks over the devices' sustained rates"
    return Throughputs("computed", "images/s", rates, kinds, memory, source=source)


def memory_bytes(kind: JobKind, network: str) -> int:
    """Rough memory of an attempt: weights, activations of a step, the process itself."""
    figures = _networks()[network]
    weights = figures["parameters"] * 4
    activations = BATCH * figures["flops"] * ACTIVATION_BYTES_PER_FLOP
    if kind is JobKind.CNN_TRAIN:
        weights = figures["parameters"] * TRAINING_BYTES_PER_PARAMETER
    else:
        activations /= 10  # only the widest layers at a time
    return int(CONTEXT_BYTES + weights + activations)


def _standing_for(model: str, devices: Mapping[str, Any]) -> str | None:
    if model in devices:
        return model
    words = _words(model)
    matching = [device for device in devices if _words(device) <= words]
    return max(matching, key=lambda device: len(_words(device)), default=None)


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.casefold()))


@cache
def _networks() -> dict[str, dict[str, float]]:
    text = resources.files("scheduler.estimates").joinpath("model_flops.json").read_text("utf-8")
    table: dict[str, dict[str, float]] = json.loads(text)
    return table
