"""A learned policy in a folder: `policy.onnx`, and `manifest.json` that says what it is.

Nothing in it is code that runs when loaded. What is damaged, or was trained for another encoding,
is refused with the reason.
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

from scheduler.decisions.features.columns import Floats32
from scheduler.decisions.features.digest import compatible
from scheduler.decisions.features.digest import digest as encoding_digest
from scheduler.decisions.features.encoder import size
from scheduler.decisions.rounds.round import Mode
from scheduler.domain.errors import InputError, MissingError
from scheduler.files import write_bytes, write_text

WEIGHTS, MANIFEST = "policy.onnx", "manifest.json"
BEST = "best"
"""The artifact's folder in that of a training."""
FORMAT = 1
"""Raised when the manifest's fields come to mean something else."""
LARGEST = 16 * 2**20
"""Bytes: nothing greater is read."""
INPUT, OUTPUT = "encoding", "scores"


class Judged(TypedDict):
    """A policy's objectives ÷ the reference's on validation workloads."""

    mean: float
    at: Mapping[str, float]
    """By w, as text."""


class CurvePoint(TypedDict):
    """A validation in the course of a training."""

    steps: int
    """Decisions."""
    seconds: NotRequired[float]
    """Since the training began; old ones do not tell."""
    raw: Judged
    averaged: NotRequired[Judged]


@dataclass(frozen=True, slots=True)
class ArtifactManifest:
    """What it takes to serve the policy, and to make it again."""

    sha256: str
    """Of the weights."""
    encoding: str
    """Digest of the encoding it was trained with."""
    rows: int
    """K."""
    mode: str
    """Of the reservations in training."""
    scenario: str
    scenario_digest: str
    seed: int
    steps: int
    """Decisions learnt from when these weights were there."""
    averaged: bool
    """Whether they are an average over rollouts."""
    command: str
    commit: str
    versions: Mapping[str, str]
    config: Mapping[str, Any]
    """Every hyper-parameter."""
    curve: Sequence[CurvePoint] = ()
    """Validations in the course of the training."""
    evaluation: Mapping[str, Judged] = field(default_factory=dict)
    """Name → mean and per-w objective ÷ the reference's, on validation workloads."""
    format: int = FORMAT


_FIELDS = TypeAdapter(ArtifactManifest)


@dataclass(frozen=True, slots=True)
class PolicyArtifact:
    """Verified; get one from `load`."""

    manifest: ArtifactManifest
    weights: bytes = field(repr=False)

    def session(self) -> Callable[[Floats32], Floats32]:
        """(size,) → (K,) scores or (B, size) → (B, K), by ONNX Runtime in one thread."""
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                self.weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no public base
            raise InputError(
                f"{WEIGHTS} is no usable network: {error}", {"policy": "an exported artifact"}
            ) from error

        def score(values: Floats32) -> Floats32:
            scores: Floats32 = session.run([OUTPUT], {INPUT: np.atleast_2d(values)})[0]
            return scores if values.ndim == 2 else scores[0]

        return score


def save(folder: Path, weights: bytes, manifest: ArtifactManifest) -> None:
    """Write an artifact; `manifest.sha256` must be that of `weights`.

    Each file appears whole or not at all.
    """
    text = json.dumps(asdict(manifest), indent=2, allow_nan=False) + "\n"
    write_bytes(folder / WEIGHTS, weights)
    write_text(folder / MANIFEST, text)


def load(folder: Path) -> PolicyArtifact:
    """Read and verify an artifact; raises as `read`, and if the network does not work."""
    artifact = read(folder)
    _try(artifact)
    return artifact


def read(folder: Path) -> PolicyArtifact:
    """Read an artifact and verify its files, quickly: the network is not tried.

    Raises `MissingError` if there is none, `InputError` with the reason if it is damaged, of
    another format, or trained for another encoding.
    """
    if not (folder / MANIFEST).is_file() or not (folder / WEIGHTS).is_file():
        within = folder / BEST
        legal = within if (within / MANIFEST).is_file() else f"FOLDER with {MANIFEST} and {WEIGHTS}"
        raise MissingError(
            f"there is no learned policy in {folder}", {"policy": f"learned:{legal}"}
        )
    manifest = _manifest(_read(folder / MANIFEST))
    if not compatible(manifest.encoding):
        raise _refused(
            f"it was trained for encoding {manifest.encoding}, here it is {encoding_digest()}",
            "a policy trained with this version",
        )
    weights = _read(folder / WEIGHTS)
    if digest(weights) != manifest.sha256:
        raise _refused(f"{WEIGHTS} is not the file that {MANIFEST} describes", "undamaged files")
    return PolicyArtifact(manifest, weights)


def digest(weights: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(weights).hexdigest()


def _manifest(content: bytes) -> ArtifactManifest:
    try:
        values = json.loads(content)
        version = values.get("format")
    except (ValueError, AttributeError) as error:
        raise _refused(f"{MANIFEST} is no JSON object: {error}", "an undamaged file") from error
    if version != FORMAT:
        raise _refused(f"{MANIFEST} has format {version}", f"format {FORMAT}")
    legal = {each.name for each in fields(ArtifactManifest)}
    if set(values) != legal:
        odd = ", ".join(sorted(set(values) ^ legal))
        raise _refused(f"{MANIFEST} has too much or too little: {odd}", "an undamaged file")
    try:
        manifest = _FIELDS.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _refused(f"{where} in {MANIFEST}: {first['msg']}", "an undamaged file") from error
    if manifest.rows < 2:
        raise _refused(f"rows is {manifest.rows!r}", "a whole number ≥ 2")
    if manifest.mode not in set(Mode):
        raise _refused(f"mode is {manifest.mode!r}", f"one of {', '.join(Mode)}")
    return manifest


def _try(artifact: PolicyArtifact) -> None:
    """A network that cannot score one empty table will not score a full one."""
    rows = artifact.manifest.rows
    score = artifact.session()
    try:
        scores = score(np.zeros(size(rows), dtype=np.float32))
    except Exception as error:
        raise _refused(f"the network does not take {rows} rows: {error}", "its own rows") from error
    if scores.shape != (rows,) or not np.isfinite(scores).all():
        raise _refused(f"the network gives {scores.shape} for {rows} rows", "finite scores")


def _read(file: Path) -> bytes:
    if file.stat().st_size > LARGEST:
        raise _refused(f"{file.name} has more than {LARGEST} bytes", "a smaller file")
    return file.read_bytes()


def _refused(why: str, legal: str) -> InputError:
    return InputError(f"the learned policy is refused: {why}", {"policy": legal})
