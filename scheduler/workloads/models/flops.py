"""What each architecture costs: `python -m scheduler.workloads.models.flops` writes the table.

The table (`scheduler/estimates/model_flops.json`) holds for each architecture the floating-point
operations of one forward pass of one image (a multiply-add counts as two), the parameters, the
image size these belong to, and which image sizes the architecture can take at all. The counts
come from `torch.utils.flop_counter` on the meta device: nothing is computed, only shapes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from scheduler.workloads.models.architectures import SIMPLE_CNN, build, names

TABLE = Path(__file__).parents[2] / "estimates" / "model_flops.json"

_REFERENCE = {SIMPLE_CNN: 32, "inception_v3": 299}
_SIZES = (4, 8, 16, 24, 28, 32, 40, 48, 56, 64, 72, 75, 80, 96, 112, 128, 160, 192, 224)
_STEPS = (1, 14, 16, 32, 224)


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One row of the table."""

    flops: float
    """Of one forward pass of one image of `image_size` (FLOP)."""
    parameters: int
    image_size: int
    """Edge of the square image the count belongs to (px)."""
    min_image_size: int
    """Smallest edge it takes (px), among those tried."""
    image_size_step: int
    """Edges must be multiples of this (px); 1: any."""


def measure(name: str) -> ModelCost:
    """Count one architecture with 1000 classes (simple-cnn: 10) and three channels."""
    size = _REFERENCE.get(name, 224)
    model = _shape(name, size).eval()
    image = torch.empty(1, 3, size, size, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    step = next(step for step in _STEPS if size % step == 0 and _runs(name, size + step, model))
    tried = (edge for edge in _SIZES if edge % step == 0)
    least = next((edge for edge in tried if _runs(name, edge, model)), size)
    return ModelCost(float(counter.get_total_flops()), parameters, size, least, step)


def main() -> None:
    """Write the table for every architecture."""
    rows = {name: asdict(measure(name)) for name in names()}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    TABLE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{len(rows)} architectures in {TABLE.name}")


def _shape(name: str, image_size: int) -> nn.Module:
    """The network without memory behind its weights."""
    classes = 10 if name == SIMPLE_CNN else 1000
    try:
        with torch.device("meta"):
            return build(name, classes=classes, image_size=image_size)
    except RuntimeError:  # regnet reads tensors while it is being built
        return build(name, classes=classes, image_size=image_size).to("meta")


def _runs(name: str, size: int, model: nn.Module) -> bool:
    """Whether a training batch of two images of that edge passes through."""
    try:
        if _sized(name):
            model = _shape(name, size)
        model.train()(torch.empty(2, 3, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


def _sized(name: str) -> bool:
    """Whether the architecture is built for one image size."""
    return name == SIMPLE_CNN or name.startswith(("vit_", "maxvit"))


if __name__ == "__main__":
    main()
