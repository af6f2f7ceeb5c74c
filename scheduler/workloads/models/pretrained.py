"""Torchvision's weights for ImageNet: fetched where possible, else put in place by hand."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor
from torchvision import models

from scheduler.domain.errors import InputError, OutageError
from scheduler.locks import locked

_DIGEST = re.compile(r"-([0-9a-f]{8,})\.")
"""In the name of a file: how the SHA-256 digest of its content begins."""
_DENSE = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")
"""A name as the files of DenseNets have it, `….norm.1.weight`; torchvision now says `….norm1.…`."""


def pretrained_file(name: str) -> Path:
    """The file with torchvision's best weights of that architecture, fetched unless it is there.

    It lies in the cache of torch.hub, `$TORCH_HOME/hub/checkpoints`. Raises `OutageError` that
    says how to put it there by hand if it cannot be fetched, `InputError` for a damaged file.
    """
    url: str = models.get_model_weights(name).DEFAULT.url
    file = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
    file.parent.mkdir(parents=True, exist_ok=True)
    begin = _DIGEST.search(file.name)
    with locked(file.with_name(f".{file.name}.lock")):  # else several jobs fetch the same file
        if not file.exists():
            _fetch(name, url, file, begin and begin[1])
        elif begin and not _digest(file).startswith(begin[1]):
            problem = f"{file} is damaged: its SHA-256 digest does not begin with {begin[1]}"
            raise InputError(
                problem, {"work.weights": f"{problem}; remove it, or put it there again"}
            )
    return file


def current_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names that torchvision's networks have today."""
    return {_DENSE.sub(r"\1\2", name): value for name, value in state.items()}


def _fetch(name: str, url: str, file: Path, digest: str | None) -> None:
    print(f"fetches {url}", flush=True)
    try:
        torch.hub.download_url_to_file(url, str(file), digest, progress=False)
    except (OSError, RuntimeError) as error:
        problem = (
            f"torchvision's weights of {name} cannot be fetched ({error}); without internet, "
            f"run `curl -LO {url}` elsewhere and put {file.name} into {file.parent} on this "
            "machine, or give a file of weights"
        )
        raise OutageError(problem, {"work.weights": problem}) from None


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
