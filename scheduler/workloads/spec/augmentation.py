"""Random changes of training images, as a pydantic model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_JITTER = "multiply by a factor between 1 − this (at least 0) and 1 + this."


class Augmentation(BaseModel):
    """Random changes of each training image, drawn again every epoch."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    flip: bool = Field(default=False, description="Mirror left and right with probability 0.5.")
    rotation: float = Field(
        default=0.0,
        ge=0,
        le=180,
        description="Rotate by up to this angle, both ways.",
        examples=[10],
    )
    scale: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Scale by a factor between 1 − scale and 1 + scale.",
        examples=[0.2],
    )
    random_resized_crop: bool = Field(
        default=False,
        description="Cut 8–100 % of the area out and resize it, as in ImageNet training.",
    )
    brightness: float = Field(
        default=0.0, ge=0, le=10, description="Colour jitter: " + _JITTER, examples=[0.2]
    )
    contrast: float = Field(
        default=0.0, ge=0, le=10, description="Colour jitter: " + _JITTER, examples=[0.2]
    )
    saturation: float = Field(
        default=0.0, ge=0, le=10, description="Colour jitter: " + _JITTER, examples=[0.2]
    )
    hue: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Colour jitter: turn the hue by up to this share of the colour circle.",
        examples=[0.05],
    )
    rand_augment: int = Field(
        default=0,
        ge=0,
        le=16,
        description="RandAugment: apply so many of its operations to each image; 0: none. "
        "torchvision's default is 2.",
        examples=[2],
    )
    rand_augment_magnitude: int = Field(
        default=9, ge=0, le=30, description="RandAugment: strength of its operations."
    )

    @property
    def moves(self) -> bool:
        """Whether images are rotated or scaled."""
        return bool(self.rotation or self.scale)

    @property
    def jitters(self) -> bool:
        """Whether colours change."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    @property
    def any(self) -> bool:
        """Whether images change at all."""
        simple = self.flip or self.random_resized_crop or self.rand_augment
        return bool(simple or self.moves or self.jitters)
