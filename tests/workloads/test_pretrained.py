"""Weights and datasets that torchvision would fetch, on a machine without internet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torchvision import models

from scheduler.domain.errors import InputError, OutageError
from scheduler.workloads.data import datasets
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.models.pretrained import current_names, pretrained_file


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("FULCRUM_DATA", str(tmp_path / "datasets"))
    monkeypatch.setattr("urllib.request.urlopen", refused)
    monkeypatch.setattr("torch.hub.urlopen", refused)


def test_the_error_says_which_file_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(OutageError) as caught:
        pretrained_file("resnet18")
    said = caught.value.fields["work.weights"]
    assert "curl -LO https://download.pytorch.org/models/resnet18-f37072fd.pth" in said
    assert f"put resnet18-f37072fd.pth into {tmp_path / 'torch' / 'hub' / 'checkpoints'}" in said
    assert "no route to host" in said


def test_a_file_that_was_put_there_is_used_without_internet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = architectures.build("shufflenet_v2_x0_5", classes=1000, image_size=32, channels=3)
    draft = tmp_path / "draft.pth"
    torch.save(made.state_dict(), draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:8]
    chosen = models.get_model_weights("shufflenet_v2_x0_5").DEFAULT
    url = f"https://download.pytorch.org/models/shufflenetv2_x0.5-{digest}.pth"
    monkeypatch.setattr(type(chosen), "url", url, raising=False)
    file = tmp_path / "torch" / "hub" / "checkpoints" / f"shufflenetv2_x0.5-{digest}.pth"
    file.parent.mkdir(parents=True)
    draft.rename(file)
    network = architectures.build("shufflenet_v2_x0_5", classes=2, image_size=32, channels=3)
    weights.initial(network, "shufflenet_v2_x0_5", "imagenet")
    assert torch.equal(network.conv1[0].weight, made.conv1[0].weight)

    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="is damaged: its SHA-256 digest"):
        pretrained_file("shufflenet_v2_x0_5")


def test_weights_of_densenets_fit_todays_networks() -> None:
    network = architectures.build("densenet121", classes=2, image_size=32, channels=3)
    own = network.state_dict()
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.")
        .replace(".conv1.", ".conv.1.").replace(".conv2.", ".conv.2."): value
        for name, value in own.items()
    }  # fmt: skip
    assert old.keys() != own.keys()
    assert current_names(old).keys() == own.keys()


def test_a_dataset_that_cannot_be_fetched_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OutageError) as caught:
        datasets.arrays("kmnist", train=True)
    said = caught.value.fields["work.dataset"]
    assert "KMNIST('data', download=True)" in said
    assert str(tmp_path / "datasets") in said
