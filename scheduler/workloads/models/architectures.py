"""Networks by name: `simple-cnn` and torchvision's classification models."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision import models

from scheduler.workloads.spec import tables

SIMPLE_CNN = tables.SIMPLE_CNN


def names() -> list[str]:
    """Every architecture, `simple-cnn` first."""
    return [SIMPLE_CNN, *sorted(models.list_models(module=models))]


def build(name: str, *, classes: int, image_size: int, channels: int = 3) -> nn.Module:
    """A network with random weights: images (N, channels, size, size) → logits (N, classes).

    torchvision's models take three channels whatever `channels` says; see `input_channels`.
    """
    if name == SIMPLE_CNN:
        return SimpleCnn(classes=classes, image_size=image_size, channels=channels)
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options["image_size"] = image_size
    elif name.startswith("maxvit"):
        options["input_size"] = (image_size, image_size)
    elif name in ("googlenet", "inception_v3"):
        # The auxiliary heads only help a training from scratch over many epochs, and the
        # truncated-normal start they come with takes longer than a small job.
        options |= {"aux_logits": False, "init_weights": False}
    model: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
    return model


def input_channels(name: str, channels: int) -> int:
    """Channels the network takes for images that have `channels`."""
    return channels if name == SIMPLE_CNN else 3


def head(model: nn.Module) -> tuple[str, nn.Module]:
    """The layer that gives the logits, with its dotted name.

    The last linear layer; squeezenet, which has none, ends in a convolution.
    """
    last: dict[type[nn.Module], tuple[str, nn.Module]] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            last[type(module)] = (name, module)
    return last[nn.Linear] if nn.Linear in last else last[nn.Conv2d]


class SimpleCnn(nn.Module):
    """conv-pool-conv-pool-fc-fc.

    Above 64 px the second pooling widens, so that the first dense layer never sees a map wider
    than 16 × 16 and stays below 2.1 million weights.
    """

    def __init__(self, *, classes: int, image_size: int, channels: int = 3) -> None:
        super().__init__()
        if image_size < 4:
            raise ValueError("simple-cnn takes images of at least 4 × 4")
        pool, edge = tables.simple_cnn_pooling(image_size)
        self.features = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(pool),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * edge * edge, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, channels, size, size) → logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def freeze(model: nn.Module) -> None:
    """Let only the head learn."""
    for parameter in model.parameters():
        parameter.requires_grad = False
    for parameter in head(model)[1].parameters():
        parameter.requires_grad = True
