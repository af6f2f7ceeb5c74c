"""Files of every format and depth, as a person sees them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scheduler.workloads.data.pictures import UnreadableError, decode

GREY = np.add.outer(np.arange(24), 2 * np.arange(32)).astype(np.float64)
GREY = np.rint(GREY * 255 / GREY.max()).astype(np.uint8)
"""A slope from black to white, brighter to the right than downwards: no two turns are alike."""


def grey() -> Image.Image:
    return Image.fromarray(GREY)


def deep(dtype: str, factor: float) -> Image.Image:
    return Image.fromarray((GREY.astype(np.float64) * factor).astype(dtype))


def seen(path: Path, edge: int | None = None) -> NDArray[np.int64]:
    """Grey levels (H, W) as decoded."""
    pixels = decode(path, edge).numpy().astype(np.int64)
    assert pixels.shape[0] == 3
    assert np.ptp(pixels, axis=0).max() <= 3
    return pixels[1]


FORMATS: dict[str, Callable[[], Image.Image]] = {
    "grey.png": grey,
    "colour.png": lambda: grey().convert("RGB"),
    "palette.png": lambda: grey().convert("P"),
    "opaque.png": lambda: grey().convert("LA"),
    "opaque-colour.png": lambda: grey().convert("RGBA"),
    "sixteen.png": lambda: deep("uint16", 257),
    "sixteen.tif": lambda: deep("uint16", 257),
    "sixteen-big-endian.tif": lambda: deep(">u2", 257),
    "sixteen.pgm": lambda: deep("int32", 257),
    "signed.tif": lambda: Image.fromarray(GREY.astype(np.int32) * 12 - 1000),
    "share.tiff": lambda: deep("float32", 1 / 255),
    "float.tiff": lambda: Image.fromarray(GREY.astype(np.float32) * 9.5 - 700),
    "cmyk.tif": lambda: grey().convert("RGB").convert("CMYK"),
    "cmyk.jpg": lambda: grey().convert("RGB").convert("CMYK"),
    "grey.jpg": grey,
    "colour.jpeg": lambda: grey().convert("RGB"),
    "grey.pgm": grey,
    "colour.ppm": lambda: grey().convert("RGB"),
    "grey.bmp": grey,
    "colour.webp": lambda: grey().convert("RGB"),
    "grey.gif": grey,
}
OPTIONS: dict[str, dict[str, Any]] = {"jpg": {"quality": 100}, "webp": {"lossless": True}}


def write(image: Image.Image, path: Path, **options: Any) -> Path:
    suffix = path.suffix.lower().lstrip(".").replace("jpeg", "jpg")
    image.save(path, **OPTIONS.get(suffix, {}), **options)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_picture_in_every_format_and_depth(name: str, tmp_path: Path) -> None:
    path = write(FORMATS[name](), tmp_path / name)
    assert np.abs(seen(path) - GREY).max() <= 3
    small = np.asarray(grey().resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(seen(path, 8) - small).max() <= 5


def test_one_bit(tmp_path: Path) -> None:
    for name in ("one.png", "one.tif", "one.bmp", "one.pbm.ppm"):
        path = tmp_path / name
        Image.fromarray(GREY > 127).save(path)
        assert np.array_equal(seen(path), np.where(GREY > 127, 255, 0))


TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation → how the upright picture lies in the file."""


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.tif", "a.webp", "sixteen.png", "sixteen.tif"]
)
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_stand_upright(name: str, orientation: int, tmp_path: Path) -> None:
    image = deep("uint16", 257) if name.startswith("sixteen") else grey()
    turn = TURNS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(image if turn is None else image.transpose(turn), tmp_path / name, exif=exif)
    assert np.abs(seen(path) - GREY).max() <= 3


def test_a_damaged_note_on_the_orientation_costs_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Image.Image) -> Image.Image:
        raise SyntaxError("not a TIFF file")

    path = write(grey(), tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", damaged)
    assert np.array_equal(seen(path), GREY)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    alpha = Image.fromarray(
        np.where(np.arange(32) < 16, 255, 0).astype(np.uint8)[None].repeat(24, 0)
    )
    black = Image.new("L", (32, 24), 0)
    with_alpha = black.convert("RGBA")
    with_alpha.putalpha(alpha)
    palette = Image.fromarray(np.asarray(alpha) // 255)
    palette.putpalette([90, 0, 0, 0, 0, 0])
    keyed = Image.fromarray(255 - np.asarray(alpha) // 2).convert("RGB")
    for name, image, options in (
        ("a.png", with_alpha, {}),
        ("a.webp", with_alpha, {}),
        ("a.tif", with_alpha, {}),
        ("b.png", with_alpha.convert("LA"), {}),
        ("c.png", palette, {"transparency": 0}),
        ("d.png", palette, {"transparency": b"\x00\xff"}),
        ("e.gif", palette, {"transparency": 0}),
        ("f.png", keyed, {"transparency": (255, 255, 255)}),
    ):
        pixels = decode(write(image, tmp_path / name, **options)).numpy()
        assert (pixels[:, :, 16:] == 255).all(), name
        assert (pixels[:, :, :16] < 255).all(), name
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert abs(int(decode(write(half, tmp_path / "half.png"))[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_the_first_frame_counts(name: str, tmp_path: Path) -> None:
    frames = [Image.new("L", (32, 24), level) for level in (0, 128)]
    path = write(grey(), tmp_path / name, save_all=True, append_images=frames)
    assert np.abs(seen(path) - GREY).max() <= 3


def test_infinite_and_constant_floats(tmp_path: Path) -> None:
    values = np.array([[0, np.nan, np.inf], [-np.inf, 5, 10]], dtype=np.float32)
    path = write(Image.fromarray(values), tmp_path / "a.tif")
    assert seen(path).tolist() == [[0, 0, 255], [0, 128, 255]]
    flat = write(Image.fromarray(np.full((2, 2), 7, np.float32)), tmp_path / "b.tif")
    assert seen(flat).tolist() == [[0, 0], [0, 0]]


def test_white_may_be_zero(tmp_path: Path) -> None:
    path = write(deep("uint16", 257), tmp_path / "a.tif")
    whole = bytearray(path.read_bytes())
    entry = whole.index((262).to_bytes(2, "little"))
    whole[entry + 8] = 0
    path.write_bytes(whole)
    assert np.abs(seen(path) - (255 - GREY)).max() <= 1


@pytest.mark.parametrize("name", sorted({Path(name).suffix for name in FORMATS} | {".16.png"}))
def test_half_a_file_is_unreadable(name: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8)
    image = Image.fromarray(noise.astype(np.uint16) * 257 if "16" in name else noise)
    path = write(image, tmp_path / f"a{name}")
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableError) as caught:
            decode(path)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("kind", ["DDS", "BLP", "SPIDER", "PCX", "TGA", "ICO"])
def test_odd_formats_are_named(kind: str, tmp_path: Path) -> None:
    image = grey().convert("P" if kind == "BLP" else "F" if kind == "SPIDER" else "RGB")
    path = tmp_path / "odd.png"
    image.save(tmp_path / "odd", kind)  # SPIDER takes any ending for its own from then on
    (tmp_path / "odd").rename(path)
    for length in (100, None):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(UnreadableError, match="known format"):
            decode(path)


def test_an_enormous_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = write(grey(), tmp_path / "bomb.bmp")
    whole = bytearray(path.read_bytes())
    whole[18:26] = struct.pack("<ii", 20_000, 10_000)
    path.write_bytes(whole)
    with pytest.raises(UnreadableError, match="20000 × 10000 px are more than max_image_pixels"):
        decode(path, 8)
    assert seen(write(grey(), tmp_path / "a.png")).shape == (24, 32)
    with pytest.raises(UnreadableError, match="32 × 24"):
        decode(tmp_path / "a.png", max_pixels=32 * 24 - 1)
