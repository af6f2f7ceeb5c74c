"""Trained networks in files: model.pt holds the weights, model.json says what they are."""

from __future__ import annotations

import io
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray
from torch import Tensor, nn

from scheduler.domain.errors import InputError
from scheduler.files import write_bytes
from scheduler.json_values import write_json
from scheduler.text import shown
from scheduler.workloads.models import architectures
from scheduler.workloads.models.pretrained import current_names, pretrained_file
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.work import IMAGENET

State = dict[str, Tensor]
"""Weights by name; `_metadata` holds the layers' versions, as torch has it."""

NORMALISATIONS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}
"""Mean and standard deviation per colour channel of images in 0…1."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Names under which checkpoints keep a state dict."""

_NUMPY: list[Any] = [
    *(
        (function, f"numpy.{core}.multiarray.{function.__name__}")
        for function in (multiarray.scalar, multiarray._reconstruct)
        for core in ("core", "_core")
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdU"),
]
"""What numbers of NumPy are made with, which checkpoints hold beside the weights; data alone."""


@dataclass(frozen=True, slots=True)
class Card:
    """What model.json says of the weights beside it."""

    model: str
    """Architecture."""
    classes: tuple[str, ...]
    """In the order of the logits."""
    image_size: int
    """Edge (px)."""
    channels: int
    mean: tuple[float, ...]
    """Subtracted from each channel of an image in 0…1."""
    std: tuple[float, ...]
    """Each channel is divided by it then."""
    dataset: str = ""
    test_fraction: float | None = None
    """Share of the dataset that was kept for the test; None: it has a test part of its own."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """On the test part; empty if the training did not get that far."""
    epoch: int = 0
    """The epoch (from 1) that left the weights; 0: not known."""
    validation: Mapping[str, Any] = field(default_factory=dict)
    """Of that epoch, on the validation part."""

    def network(self) -> nn.Module:
        """Such a network with random weights."""
        return architectures.build(
            self.model,
            classes=len(self.classes),
            image_size=self.image_size,
            channels=self.channels,
        )


def normalisation(name: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel; one grey channel gets the mean of the colours'."""
    mean, std = NORMALISATIONS[name]
    if channels == 1:
        return (sum(mean) / 3,), (sum(std) / 3,)
    return mean, std


def save(folder: Path, state: State, card: Card) -> None:
    """Write model.pt and model.json, each whole or not at all."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(folder / "model.pt", buffer.getvalue())
    write_json(folder / "model.json", asdict(card))


def read(path: Path, field: str) -> State:
    """Weights from a file, without running code from it.

    Takes a state dict, or a checkpoint that holds one under one of `_WRAPPERS`; what DataParallel
    and torch.compile put before names is taken off. Raises `InputError` naming `field` if the
    file is missing, is no such thing or holds numbers that are not finite.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # what it raises for damaged files is not documented
        raise _invalid(field, f"{path} does not load as weights: {_reason(error)}") from None
    while inner := _wrapped(found):
        found = inner
    if not isinstance(found, dict) or not found:
        legal = ", ".join(_WRAPPERS)
        raise _invalid(field, f"{path} holds no state dict; legal: one alone, or under {legal}")
    strange = [str(name) for name, value in found.items() if not isinstance(value, Tensor)]
    if strange:
        raise _invalid(field, f"{path} holds no state dict of tensors: {_few(strange)} is none")
    broken = [str(name) for name, value in found.items() if not value.double().isfinite().all()]
    if broken:
        raise _invalid(
            field,
            f"{path} holds NaN or infinity in {len(broken)} of {len(found)} tensors "
            f"({_few(broken)}); legal: finite weights",
        )
    state = OrderedDict((_bare(str(name)), value) for name, value in found.items())
    versions = getattr(found, "_metadata", None)
    if versions is not None:
        kept = {_bare(f"{name}.").removesuffix("."): value for name, value in versions.items()}
        state._metadata = kept  # type: ignore[attr-defined]
    return state


def read_card(path: Path, field: str) -> Card:
    """A model.json; raises `InputError` naming `field`."""
    try:
        row = json.loads(path.read_text("utf-8"))
        row |= {name: tuple(row[name]) for name in ("classes", "mean", "std")}
        row["classes"] = tuple(map(shown, row["classes"]))
        card = Card(**row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _invalid(field, f"{path} does not describe a model: {error}") from None
    if card.model not in tables.architectures():
        raise _invalid(field, f"{path} names the unknown architecture {card.model!r}")
    return card


def start_from(network: nn.Module, state: State, field: str) -> int | None:
    """Put `state` into the network; a head of another size keeps its random weights.

    Returns the number of classes of a head that was left out for that reason; None if none was.
    Auxiliary heads in the file are ignored. Raises `InputError` naming `field` if anything
    else differs.
    """
    own = network.state_dict()
    name = architectures.head(network)[0]
    taken = {key: value for key, value in state.items() if key in own}
    replaced = None
    for key in [key for key in taken if key.rpartition(".")[0] == name]:
        if taken[key].shape != own[key].shape:
            replaced = taken[key].shape[0]
            del taken[key]
    missing = [key for key in own if key not in taken and key.rpartition(".")[0] != name]
    # Files from before batches were counted lack that count.
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    wrong = [key for key, value in taken.items() if value.shape != own[key].shape]
    if missing or wrong:
        raise _invalid(
            field,
            f"these weights are of another architecture or image size: {len(missing)} missing "
            f"({_few(missing)}), {len(wrong)} of another shape ({_few(wrong)})",
        )
    _put(network, taken, state)
    return replaced


def load(network: nn.Module, state: State, field: str) -> None:
    """Put `state` into the network, all of it; raises `InputError` naming `field`."""
    own = network.state_dict()
    wrong = [
        key for key, value in own.items() if key not in state or state[key].shape != value.shape
    ]
    wrong = [key for key in wrong if not key.endswith("num_batches_tracked")]
    if wrong:
        raise _invalid(
            field,
            f"these weights do not fit: {len(wrong)} missing or of another shape ({_few(wrong)})",
        )
    _put(network, {key: state[key] for key in own if key in state}, state)


def initial(network: nn.Module, name: str, weights: str) -> int | None:
    """Start from a weights file or torchvision's own; returns as `start_from`."""
    if weights == IMAGENET:
        state = current_names(read(pretrained_file(name), "work.weights"))
    else:
        state = read(Path(weights).expanduser(), "work.weights")
    return start_from(network, state, "work.weights")


def copy(network: nn.Module) -> State:
    """The network's weights as they are now, in host memory."""
    state = network.state_dict()
    return _described(
        OrderedDict((name, value.detach().cpu().clone()) for name, value in state.items()), state
    )


def _put(network: nn.Module, taken: State, origin: State) -> None:
    described = _described(OrderedDict(taken), origin)
    if not hasattr(described, "_metadata"):
        described = _described(described, network.state_dict())
    network.load_state_dict(described, strict=False)


def _described(state: State, origin: State) -> State:
    """Carry over the versions of the layers: some networks (mnasnet) do not load without."""
    if hasattr(origin, "_metadata"):
        state._metadata = origin._metadata  # type: ignore[attr-defined]
    return state


def _wrapped(found: Any) -> dict[Any, Any] | None:
    """The state dict inside a checkpoint, if it is one."""
    held = [found.get(key) for key in _WRAPPERS] if isinstance(found, dict) else []
    return next((value for value in held if isinstance(value, dict)), None)


def _bare(name: str) -> str:
    """A weight's name without what DataParallel and torch.compile put before it."""
    return re.sub(r"^(module\.)+", "", re.sub(r"(^|(?<=\.))_orig_mod\.", "", name))


def _reason(error: Exception) -> str:
    """Why torch refused a file, in one line; its own text is made for a terminal."""
    text = re.sub("\x1b\\[[0-9;]*m", "", str(error))
    unsafe = re.search(r"GLOBAL ([\w.]+)", text)
    if unsafe:
        return (
            f"it holds a {unsafe[1]}, which could run code; "
            "legal: tensors and numbers, as torch.save(model.state_dict(), FILE) writes them"
        )
    said = text.rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    return said or type(error).__name__


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ("…" if len(names) > 3 else "") or "none"


def _invalid(field: str, problem: str) -> InputError:
    return InputError(problem, {field: problem})
