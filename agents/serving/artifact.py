"""A learned policy in one file: an ONNX model whose metadata hold a manifest that describes it.

Loading an artifact runs no code of it. A file that is damaged, or that was trained for another
encoding, is refused with the reason. Older versions wrote two files, `policy.onnx` and
`manifest.json`; a folder with these is still read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from agents.serving import protobuf
from agents.serving.index_base import BasePoint, base_of
from agents.serving.network import NetworkWeights, of_model
from agents.serving.onnx_weights import constants
from scheduler.decisions.features.digest import ENCODING, JOB_ENCODING, compatible
from scheduler.decisions.features.encoder import WaitingRule
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError, MissingError
from scheduler.files import write_bytes
from scheduler.policies.learned_index import LearnedIndex, on
from scheduler.validation import wrong_fields

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
"""Names of the model's tensors, for other programs that run it."""
INDEX_WEIGHTS = "index.weights"
"""Name of the constant that holds all weights of a learned index of jobs, B first."""
_KEY = "fulcrum"
"""Key of the manifest among the model's metadata."""
_METADATA = 14
"""Number of the field `metadata_props` of `ModelProto` in onnx.proto."""


class Judged(TypedDict):
    """A policy's objectives ÷ the baseline's on validation workloads."""

    mean: float
    at: Mapping[str, float]
    """Preference as text → objective."""
    error: NotRequired[float]
    """Standard error of the mean, over workloads; absent, as those below, in old artifacts and for
    a single workload."""
    median: NotRequired[float]
    """Median over workloads."""
    won: NotRequired[float]
    """Share of the workloads on which the policy is better than the baseline."""
    workloads: NotRequired[int]


class CurvePoint(TypedDict):
    """One validation during a training."""

    steps: int
    """Decisions so far."""
    seconds: NotRequired[float]
    """Time since the training began; absent in old artifacts."""
    cpu_seconds: NotRequired[float]
    """Processor time of all its processes until then; absent in old artifacts."""
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
    waiting: str = WaitingRule.BESIDE_BEST
    """When WAIT was legal in training; absent in old artifacts."""
    base: str = ""
    """The policy whose order of jobs is corrected; empty: a network of rows. Absent in old
    artifacts, as the next field."""
    base_points: tuple[BasePoint, ...] = ()
    """Its constants, if it is wgc."""
    format: int = FORMAT

    @property
    def started_from(self) -> str:
        """Name of the policy whose order was to be corrected: the base, or an index on it."""
        return str(self.config.get("base") or self.base)

    @property
    def kept_base(self) -> bool:
        """Whether the weights are those before learning, as none that were learned were better."""
        return bool(self.base) and self.steps == 0

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

    def network(self) -> NetworkWeights:
        """The weights, for the decision kernel. Raises `InputError` if it has not those needed."""
        try:
            return of_model(self.weights)
        except ValueError as error:
            raise _refused(f"its network cannot be used: {error}", "an exported policy") from error

    def index(self, name: str) -> LearnedIndex:
        """The learned index of jobs, called `name`.

        Raises `InputError` if it has not the weights, or if its base does not exist here.
        """
        weights = constants(self.weights).get(INDEX_WEIGHTS)
        if weights is None:
            raise _refused("it has no weights of an index", "an exported policy")
        try:
            base = base_of(self.manifest.base, self.manifest.base_points)
            policy = on(base, weights.ravel(), name)
        except InputError as error:
            raise _refused(error.message, "; ".join(error.fields.values())) from error
        return replace(policy, mode=Mode(self.manifest.mode))


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
    known = manifest.encoding == JOB_ENCODING if manifest.base else compatible(manifest.encoding)
    if not known:
        here = JOB_ENCODING if manifest.base else ENCODING
        raise _refused(
            f"it was trained for encoding {manifest.encoding}, here it is {here}",
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
    entry = protobuf.field(1, _KEY.encode()) + protobuf.field(2, manifest)
    return weights + protobuf.field(_METADATA, entry)


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
    head = protobuf.field(1, _KEY.encode())
    begin, entry = 0, b""
    try:
        for number, value, at in protobuf.fields(content):
            begin, entry = at, value if number == _METADATA and isinstance(value, bytes) else b""
        if entry.startswith(head):
            _, start = protobuf.number(entry, len(head) + 1)
            return content[:begin], entry[start:]
    except IndexError:
        pass
    return content, b""


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
    values.setdefault("waiting", WaitingRule.BESIDE_BEST.value)
    values.setdefault("base", "")
    values.setdefault("base_points", ())
    legal = {each.name for each in fields(ArtifactManifest)}
    if set(values) != legal:
        odd = ", ".join(sorted(set(values) ^ legal))
        raise _refused(f"fields of its manifest are unknown or missing: {odd}", "an undamaged file")
    try:
        manifest = _FIELDS.validate_python(values)
    except ValidationError as error:
        wrong = wrong_fields(error.errors(include_url=False), ArtifactManifest)
        where, message = next(iter(wrong.items()))
        raise _refused(f"{where} in its manifest: {message}", "an undamaged file") from error
    if manifest.base_points and not manifest.base:
        raise _refused("it has constants of a base, but no base", "an undamaged file")
    if manifest.rows < 2 and not manifest.base:
        raise _refused(f"rows is {manifest.rows!r}", "a whole number ≥ 2")
    if manifest.waiting not in set(WaitingRule):
        raise _refused(f"waiting is {manifest.waiting!r}", f"one of {', '.join(WaitingRule)}")
    if manifest.mode not in set(Mode):
        raise _refused(f"mode is {manifest.mode!r}", f"one of {', '.join(Mode)}")
    return manifest


def _try(artifact: PolicyArtifact) -> None:
    """Read the network's weights. Scores too large for numbers are the guard's business."""
    if artifact.manifest.base:
        artifact.index(artifact.manifest.base)
        return
    if not np.isfinite(artifact.network().values).all():
        raise _refused("its network has weights that are no numbers", "finite weights")


def _read(file: Path) -> bytes:
    if file.stat().st_size > LARGEST:
        raise _refused(f"{file.name} has more than {LARGEST} bytes", "a smaller file")
    return file.read_bytes()


def _refused(why: str, legal: str) -> InputError:
    return InputError(f"the learned policy is refused: {why}", {"policy": legal})
