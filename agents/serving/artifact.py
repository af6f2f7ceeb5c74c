"""A learned policy in one file: an ONNX model whose metadata hold a manifest that describes it.

Loading an artifact runs no code of it. A file that is damaged, or that was trained for another
encoding, is refused with the reason. Older versions wrote two files, `policy.onnx` and
`manifest.json`; a folder with these is still read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from scheduler.arrays import Floats32
from scheduler.decisions.features.digest import compatible
from scheduler.decisions.features.digest import digest as encoding_digest
from scheduler.decisions.features.encoder import size
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError, MissingError
from scheduler.files import write_bytes

FILE = "policy.onnx"
"""Name of the file in the folder of an artifact."""
OLD_MANIFEST = "manifest.json"
"""The file beside it that older versions wrote."""
BEST = "best"
"""Name of the artifact's folder in the folder of a training."""
FORMAT = 1
"""Raised when a field of the manifest changes its meaning."""
LARGEST = 16 * 2**20
"""Bytes; larger files are not read."""
INPUT, OUTPUT = "encoding", "scores"
_KEY = "fulcrum"
"""Key of the manifest among the model's metadata."""
_METADATA = 14
"""Number of the field `metadata_props` of `ModelProto` in onnx.proto."""


class Judged(TypedDict):
    """A policy's objectives ÷ the baseline's on validation workloads."""

    mean: float
    at: Mapping[str, float]
    """Preference as text → objective."""


class CurvePoint(TypedDict):
    """One validation during a training."""

    steps: int
    """Decisions so far."""
    seconds: NotRequired[float]
    """Time since the training began; absent in old artifacts."""
    raw: Judged
    averaged: NotRequired[Judged]


@dataclass(frozen=True, slots=True)
class ArtifactManifest:
    """What is needed to serve the policy, and to train it again."""

    sha256: str
    """Digest of the model's bytes without the manifest."""
    encoding: str
    """Digest of the encoding that the policy was trained with."""
    rows: int
    """K, the number of rows that the network scores."""
    mode: str
    """Reservation mode of the training."""
    scenario: str
    scenario_digest: str
    seed: int
    steps: int
    """Decisions of the training up to these weights."""
    averaged: bool
    """Whether the weights are an average over rollouts."""
    command: str
    commit: str
    versions: Mapping[str, str]
    config: Mapping[str, Any]
    """Every hyper-parameter."""
    curve: Sequence[CurvePoint] = ()
    """Validations during the training, oldest first."""
    evaluation: Mapping[str, Judged] = field(default_factory=dict)
    """Name → objective ÷ the baseline's on validation workloads."""
    format: int = FORMAT

    @property
    def baseline(self) -> str:
        """Name of the policy whose objectives those of the validations are divided by."""
        return str(self.config.get("baseline") or self.config.get("reference", "wgc"))


_FIELDS = TypeAdapter(ArtifactManifest)


@dataclass(frozen=True, slots=True)
class PolicyArtifact:
    """A verified artifact; `load` returns one."""

    manifest: ArtifactManifest
    weights: bytes = field(repr=False)
    """The ONNX model without the manifest."""

    def session(self) -> Callable[[Floats32], Floats32]:
        """Return a function (size,) → (K,) scores, or (B, size) → (B, K); one thread.

        Raises `InputError` if ONNX Runtime cannot load the network.
        """
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                self.weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no public base
            raise _refused(f"its network cannot be used: {error}", "an exported policy") from error

        def score(values: Floats32) -> Floats32:
            scores: Floats32 = session.run([OUTPUT], {INPUT: np.atleast_2d(values)})[0]
            return scores if values.ndim == 2 else scores[0]

        return score


def save(folder: Path, weights: bytes, manifest: ArtifactManifest) -> None:
    """Write `policy.onnx` into the folder, whole or not at all.

    `manifest.sha256` must be the digest of `weights`.
    """
    text = json.dumps(asdict(manifest), indent=2, allow_nan=False) + "\n"
    write_bytes(folder / FILE, pack(weights, text.encode()))


def load(path: Path) -> PolicyArtifact:
    """Read and verify an artifact, and try its network. Raises as `read`."""
    return parse(content_of(path))


def read(path: Path) -> PolicyArtifact:
    """Read and verify an artifact, quickly: the network is not tried.

    `path`: the file, or the folder that holds it. Raises `MissingError` if there is none,
    `InputError` with the reason if it is damaged, of another format, or trained for another
    encoding.
    """
    return parse(content_of(path), tried=False)


def parse(content: bytes, *, tried: bool = True) -> PolicyArtifact:
    """Verify the content of an artifact's file, and try its network if `tried`.

    Raises `InputError` with the reason.
    """
    if len(content) > LARGEST:
        raise _refused(f"it has more than {LARGEST} bytes", "a smaller file")
    weights, text = unpack(content)
    manifest = _manifest(text)
    if not compatible(manifest.encoding):
        raise _refused(
            f"it was trained for encoding {manifest.encoding}, here it is {encoding_digest()}",
            "a policy trained with this version",
        )
    if digest(weights) != manifest.sha256:
        raise _refused("its weights are not those that its manifest describes", "an undamaged file")
    artifact = PolicyArtifact(manifest, weights)
    if tried:
        _try(artifact)
    return artifact


def content_of(path: Path) -> bytes:
    """The content of an artifact's file; a folder of the old format is converted.

    `path`: the file, or the folder that holds it. Raises `MissingError` if there is none,
    `InputError` if it is too large.
    """
    if path.is_file():
        return _read(path)
    if not (path / FILE).is_file():
        within = path / BEST
        legal = within if (within / FILE).is_file() else f"FILE.onnx, or a folder with {FILE}"
        raise MissingError(f"there is no learned policy in {path}", {"policy": f"learned:{legal}"})
    content, old = _read(path / FILE), path / OLD_MANIFEST
    if old.is_file() and not _split(content)[1]:
        return pack(content, _read(old))
    return content


def pack(weights: bytes, manifest: bytes) -> bytes:
    """The content of an artifact's file: the model, with the manifest as its last metadata."""
    # Protocol buffers merge what is appended, so the model need not be parsed or written again.
    entry = _field(1, _KEY.encode()) + _field(2, manifest)
    return weights + _field(_METADATA, entry)


def unpack(content: bytes) -> tuple[bytes, bytes]:
    """(model, manifest) of an artifact's file. Raises `InputError` if it has no manifest."""
    weights, manifest = _split(content)
    if not manifest:
        raise _refused("it has no manifest", "a policy that Fulcrum has exported")
    return weights, manifest


def digest(weights: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(weights).hexdigest()


def _split(content: bytes) -> tuple[bytes, bytes]:
    """As `unpack`; the manifest is empty if there is none, or if the file is no model."""
    at, head = 0, _field(1, _KEY.encode())
    try:
        while at < len(content):
            begin, (key, at) = at, _number(content, at)
            size, at = _number(content, at)
            if key & 7 == 2:  # length-delimited; of the other types a model has only numbers
                entry, at = content[at : at + size], at + size
                if key >> 3 == _METADATA and entry.startswith(head) and at == len(content):
                    _, start = _number(entry, len(head) + 1)
                    return content[:begin], entry[start:]
    except IndexError:
        pass
    return content, b""


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the position behind it.

    Raises `IndexError` at the end of the content, or for more than 10 bytes.
    """
    value = 0
    for place, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise IndexError(at)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field; its number is below 16."""
    size, rest = bytearray(), len(content)
    while rest > 127:
        size.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *size, rest]) + content


def _manifest(content: bytes) -> ArtifactManifest:
    try:
        values = json.loads(content)
        version = values.get("format")
    except (ValueError, AttributeError) as error:
        raise _refused(
            f"its manifest is not a JSON object: {error}", "an undamaged file"
        ) from error
    if version != FORMAT:
        raise _refused(f"its manifest has format {version}", f"format {FORMAT}")
    legal = {each.name for each in fields(ArtifactManifest)}
    if set(values) != legal:
        odd = ", ".join(sorted(set(values) ^ legal))
        raise _refused(f"fields of its manifest are unknown or missing: {odd}", "an undamaged file")
    try:
        manifest = _FIELDS.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _refused(f"{where} in its manifest: {first['msg']}", "an undamaged file") from error
    if manifest.rows < 2:
        raise _refused(f"rows is {manifest.rows!r}", "a whole number ≥ 2")
    if manifest.mode not in set(Mode):
        raise _refused(f"mode is {manifest.mode!r}", f"one of {', '.join(Mode)}")
    return manifest


def _try(artifact: PolicyArtifact) -> None:
    """Score one empty table: a network that cannot do that cannot score a full one."""
    rows = artifact.manifest.rows
    score = artifact.session()
    try:
        scores = score(np.zeros(size(rows), dtype=np.float32))
    except Exception as error:
        raise _refused(f"its network does not take {rows} rows: {error}", "its own rows") from error
    if scores.shape != (rows,) or not np.isfinite(scores).all():
        raise _refused(f"its network gives {scores.shape} for {rows} rows", "finite scores")


def _read(file: Path) -> bytes:
    if file.stat().st_size > LARGEST:
        raise _refused(f"{file.name} has more than {LARGEST} bytes", "a smaller file")
    return file.read_bytes()


def _refused(why: str, legal: str) -> InputError:
    return InputError(f"the learned policy is refused: {why}", {"policy": legal})
