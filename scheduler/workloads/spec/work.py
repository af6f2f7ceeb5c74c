"""The parameters of each job kind, as pydantic models; no torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from scheduler.domain.jobs import JobKind
from scheduler.text import unknown
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.augmentation import Augmentation
from scheduler.workloads.spec.texts import PathText, Text
from scheduler.workloads.spec.weights import JobWeights, Weights

IMAGENET = "imagenet"
"""As `weights`: torchvision's own for that architecture."""
WATCHED: Mapping[str, tuple[str, int] | None] = {
    "best-loss": ("loss", -1),
    "best-accuracy": ("accuracy", 1),
    "last": None,
}
"""`keep` → the figure of an epoch's validation that it watches, with -1 if less is better."""


def _known_model(name: str) -> str:
    """The name itself; raises `ValueError` with the legal ones."""
    if name not in tables.architectures():
        raise ValueError(unknown(f"model {name!r}", name, tables.architectures()))
    return name


def _known_dataset(name: str) -> str:
    """The name itself; raises `ValueError` with the legal ones."""
    legal = ["folder:PATH", *tables.DATASETS]
    if name.startswith("folder:"):
        if not name.removeprefix("folder:").strip():
            raise ValueError(f"{name!r} names no folder; legal: {', '.join(legal)}")
    elif name not in tables.DATASETS:
        words = unknown(f"dataset {name!r}", name, legal)
        raise ValueError(f"{words}; a folder is written `folder:{name}`")
    return name


def _known_data(name: str) -> str:
    """The name itself; raises `ValueError` unless it is a dataset, a part of one or a folder."""
    base, colon, part = name.partition(":")
    if base == "folder" or not colon:
        return _known_dataset(name)
    _known_dataset(base)
    if part not in ("train", "test"):
        raise ValueError(f"{name!r}: the part is `train` or `test`, as in `{base}:test`")
    return name


ModelName = Annotated[str, AfterValidator(_known_model)]
DatasetName = Annotated[Text, AfterValidator(_known_dataset)]
Fraction = Annotated[float, Field(ge=0, le=0.9)]
MAX_IMAGE_PIXELS = 120_000_000
"""Room for what phones take (108 million); 360 MB in colour."""
PixelLimit = Annotated[
    int,
    Field(
        ge=1,
        le=1_000_000_000,
        description="Images with more pixels (width × height) are left out, counted and named.",
    ),
]


class CnnTrainWork(BaseModel):
    """Train an image classifier and test it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: ModelName = Field(
        default=tables.SIMPLE_CNN,
        description="`simple-cnn` or a torchvision classification model.",
        examples=["simple-cnn", "resnet18", "mobilenet_v3_small"],
    )
    weights: Weights | None = Field(
        default=None,
        description="Weights to start from: a file of this service's machine, `imagenet` for "
        "torchvision's (downloaded where reachable), or those of a training job by number or "
        "name (`{job: 12}`, in short `job:12`); this job then waits for it. A head of another "
        "size is replaced.",
        examples=["imagenet", "/models/resnet18.pt", {"job": "pretrain"}],
    )
    freeze: bool = Field(
        default=False,
        description="Train the head only; needs `weights`. False: fine-tune everything.",
    )
    dataset: DatasetName = Field(
        default="digits",
        description="`digits` (built in), `folder:PATH` (one folder per class, or train/, "
        "perhaps val/ and test/ of such) or one of torchvision's by name.",
        examples=["digits", "folder:/data/cats_dogs", "cifar10"],
    )
    test_fraction: Fraction = Field(
        default=tables.TEST_FRACTION,
        gt=0,
        description="Share kept for the test, if the dataset has no test part itself.",
    )
    validation_fraction: Fraction = Field(
        default=0.1,
        description="Share of the training images that measures each epoch; 0: none. Not used if "
        "the folder has val/.",
    )
    limit: int | None = Field(
        default=None,
        ge=2,
        description="Use at most this many training images, even over the classes.",
    )
    image_size: int | None = Field(
        default=None,
        ge=4,
        le=1024,
        description="Edge in px to which images are resized. Default: the dataset's own for "
        "simple-cnn (folders: 64), else the architecture's usual one.",
        examples=[32, 224],
    )
    max_image_pixels: PixelLimit = MAX_IMAGE_PIXELS
    normalise: Literal["imagenet", "half", "none"] = Field(
        default="imagenet",
        description="Subtract the mean and divide by the deviation: ImageNet's, 0.5 and 0.5, "
        "or leave 0…1.",
    )
    augmentation: Augmentation = Augmentation()
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10, examples=[1e-3])
    momentum: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Of sgd (default 0.9) and rmsprop (default 0).",
        examples=[0.9],
    )
    weight_decay: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Default: 0.01 for adamw, as in torch, else 0.",
        examples=[1e-4],
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each label that is spread evenly over all classes, in the training "
        "loss only.",
        examples=[0.1],
    )
    schedule: Literal["none", "step", "cosine"] = Field(
        default="none", description="How the learning rate falls from epoch to epoch."
    )
    step_size: int = Field(default=10, ge=1, description="Epochs between two steps of `step`.")
    gamma: float = Field(default=0.1, gt=0, le=1, description="Factor of each step of `step`.")
    batch_size: int = Field(default=32, ge=1, le=65536, description="Images per optimizer step.")
    epochs: int = Field(default=10, ge=1, le=100_000)
    keep: Literal["best-loss", "best-accuracy", "last"] = Field(
        default="best-loss",
        description="The epoch that becomes the model and is tested: the one with the lowest "
        "validation loss, the highest validation accuracy, or the last. Without validation "
        "images it is the last.",
    )
    early_stopping: int | None = Field(
        default=None,
        ge=1,
        description="Stop after this many epochs without a better validation loss or, with "
        "`keep: best-accuracy`, without a better validation accuracy.",
        examples=[3],
    )
    mixed_precision: bool = Field(
        default=False,
        description="bfloat16 (else float16) where safe; on CUDA only, ignored on a CPU.",
    )
    loader_workers: int = Field(
        default=0, ge=0, le=64, description="Extra processes that prepare images; 0: none."
    )
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("weights")
    @classmethod
    def _available(
        cls, weights: JobWeights | str | None, info: ValidationInfo
    ) -> JobWeights | str | None:
        if weights == IMAGENET and info.data.get("model") == tables.SIMPLE_CNN:
            raise ValueError("`imagenet` weights exist for torchvision's models, not simple-cnn")
        return weights

    @field_validator("freeze")
    @classmethod
    def _something_to_freeze(cls, freeze: bool, info: ValidationInfo) -> bool:
        if freeze and info.data.get("weights", ...) is None:
            raise ValueError("true needs `weights` (a file, `imagenet` or a job) to start from")
        return freeze

    @field_validator("image_size")
    @classmethod
    def _size(cls, size: int | None, info: ValidationInfo) -> int | None:
        if "model" in info.data:
            known_size(info.data["model"], size)
        return size

    @field_validator("early_stopping")
    @classmethod
    def _measured(cls, patience: int | None, info: ValidationInfo) -> int | None:
        if patience and info.data.get("validation_fraction") == 0:
            raise ValueError("needs a validation_fraction above 0, or null to train to the end")
        return patience


class CnnInferWork(BaseModel):
    """Let trained models classify images; several vote with their mean probability."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    models: tuple[int | PathText, ...] = Field(
        default=(),
        max_length=32,
        description="Training jobs by number or name (this job then waits for them), or folders "
        "that hold model.pt and model.json; a folder is written with a slash.",
        examples=[[17], [17, 18], ["cnn", "resnet"]],
    )
    weights: tuple[PathText, ...] = Field(
        default=(),
        validate_default=True,
        max_length=32,
        description="Files of weights; a model.json beside one tells its architecture, else "
        "`model` does.",
        examples=[["/models/resnet18.pt"]],
    )
    model: ModelName | None = Field(
        default=None,
        description="Architecture of `weights` without a model.json.",
        examples=["resnet18"],
    )
    classes: tuple[Text, ...] = Field(
        default=(), description="Names of the classes of `weights` without a model.json, in order."
    )
    data: Annotated[Text, AfterValidator(_known_data)] = Field(
        default="digits:test",
        description="`folder:PATH` (images in it, or one folder per class), or a part of a "
        "dataset: `digits`, `digits:train`, `digits:test`, `cifar10:test`, …",
        examples=["folder:/data/inbox", "digits:test"],
    )
    batch_size: int = Field(default=32, ge=1, le=65536)
    image_size: int | None = Field(
        default=None,
        ge=4,
        le=1024,
        description="Edge in px; default: the one the model was trained with.",
    )
    max_image_pixels: PixelLimit = MAX_IMAGE_PIXELS
    limit: int | None = Field(default=None, ge=1, description="Classify at most this many images.")

    @field_validator("models", "weights", "classes", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        """One alone is a list of one; `"17"` is job 17."""
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(int(x) if isinstance(x, str) and x.isdecimal() else x for x in items)

    @field_validator("models")
    @classmethod
    def _job_numbers(cls, value: tuple[int | str, ...]) -> tuple[int | str, ...]:
        if any(isinstance(item, int) and item < 1 for item in value):
            raise ValueError("job numbers start at 1")
        return value

    @field_validator("weights")
    @classmethod
    def _voters(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and info.data.get("models", ...) == ():
            raise ValueError("name at least one of `models` (job numbers) or `weights` (files)")
        return value


class CommandWork(BaseModel):
    """Run any program."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    argv: tuple[Text, ...] = Field(
        min_length=1,
        max_length=4096,
        description="Program and its arguments; no shell in between.",
        examples=[["python", "train.py", "--epochs", "3"]],
    )
    env: Mapping[Text, Text] = Field(
        default_factory=dict,
        description="Set on top of what the service passes on. Only the job's user and admins "
        "see the values.",
    )
    cwd: PathText | None = Field(
        default=None,
        description="Working directory; default: a new folder, `work/` in the attempt's.",
    )
    resumable: bool = Field(
        default=False,
        description="Whether the program goes on where it was: it saves its state in "
        "`$FULCRUM_CHECKPOINTS` when it gets SIGTERM, and starts from there when "
        "`$FULCRUM_RESUMED` is 1. Only then may it be preempted.",
    )

    @field_validator("argv")
    @classmethod
    def _program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0]:
            raise ValueError("argv[0], the program, is empty")
        return argv

    @field_validator("env")
    @classmethod
    def _names(cls, env: Mapping[str, str]) -> Mapping[str, str]:
        for name in env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r}: names are letters, digits and _, no digit first")
        return env


Work = CnnTrainWork | CnnInferWork | CommandWork

WORK: Mapping[JobKind, type[CnnTrainWork] | type[CnnInferWork] | type[CommandWork]] = {
    JobKind.CNN_TRAIN: CnnTrainWork,
    JobKind.CNN_INFER: CnnInferWork,
    JobKind.COMMAND: CommandWork,
}
"""The model of each kind's parameters."""


def known_size(model: str, image_size: int | None) -> None:
    """Raises `ValueError` if the architecture cannot take images of that edge (px)."""
    cost = tables.architectures()[model]
    if image_size is None:
        return
    step, least = cost.image_size_step, cost.min_image_size
    if image_size < least or image_size % step:
        multiples = f", in multiples of {step}" if step > 1 else ""
        raise ValueError(
            f"{model} does not take images of {image_size} px; legal: {least} px and above"
            f"{multiples}"
        )
