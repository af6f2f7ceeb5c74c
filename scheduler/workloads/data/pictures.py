"""Files as pictures: what a person sees in them, in 8 bits per colour.

docs/images.md states the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffTags, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2 import functional as F  # noqa: N812

from scheduler.text import shown
from scheduler.workloads.spec.work import MAX_IMAGE_PIXELS

FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What a file may hold, whatever its name ends in."""

Image.MAX_IMAGE_PIXELS = None  # `decode` has the limit, and names it

_TAGS = {tag.name: number for number, tag in TiffTags.TAGS_V2.items()}


class UnreadableError(Exception):
    """A file is no whole picture; the message says why, without the file's name."""


def decode(path: Path, edge: int | None = None, max_pixels: int = MAX_IMAGE_PIXELS) -> Tensor:
    """Read one file as uint8 (3, H, W), resized to a square of `edge` px unless None.

    Pillow does it, outside the interpreter lock and without threads of its own.
    Raises `UnreadableError` if the file is no whole picture or has more than `max_pixels`.
    """
    try:
        # Of a path Pillow would map some TIFFs into memory, and mix up the sides of turned ones.
        with path.open("rb") as whole, Image.open(whole, formats=FORMATS) as file:
            _check_size(file, max_pixels)
            if edge is not None:
                file.draft("RGB", (edge, edge))  # lets JPEG skip detail that is thrown away anyway
            image = _rgb(file)
        if edge is not None and image.size != (edge, edge):
            image = image.resize((edge, edge), Image.Resampling.BILINEAR)
    except (MemoryError, UnreadableError):
        raise
    except UnidentifiedImageError:
        raise UnreadableError(f"no picture in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # what a decoder raises for damaged data is not documented
        reason = str(error).replace(str(path), path.name) or type(error).__name__
        raise UnreadableError(shown(reason)) from None
    tensor: Tensor = F.pil_to_tensor(image)
    return tensor


def _check_size(file: Image.Image, max_pixels: int) -> None:
    width, height = file.size
    if width * height > max_pixels:
        raise UnreadableError(
            f"{width} × {height} px are more than max_image_pixels = {max_pixels:,} allows"
        )


def _rgb(file: Image.Image) -> Image.Image:
    """The first frame, upright, on white where it is transparent."""
    file.load()
    image = _upright(file)
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        image = Image.fromarray(_in_8_bits(file, np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the pixels are whole; only what the camera noted is damaged
        return image


def _in_8_bits(file: Image.Image, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of any depth as 0…255, by the range that the file's format means."""
    tags = getattr(file, "tag_v2", {})
    finite = values[np.isfinite(values)]
    low, high = 0.0, 1.0
    if file.mode.startswith("I;16"):
        high = 2.0 ** tags.get(_TAGS["BitsPerSample"], (16,))[0] - 1
    elif file.mode == "I" and file.format in ("PNG", "PPM"):
        high = 2.0**16 - 1
    elif finite.size and (file.mode == "I" or finite.min() < 0 or finite.max() > 1):
        low, high = float(finite.min()), float(finite.max())
    whole = np.nan_to_num(values.astype(np.float32), nan=low, posinf=high, neginf=low)
    share = (whole - low) / max(high - low, 1e-30)
    if tags.get(_TAGS["PhotometricInterpretation"]) == 0:  # white is zero
        share = 1 - share
    scaled: NDArray[np.uint8] = np.rint(share.clip(0, 1) * 255).astype(np.uint8)
    return scaled
