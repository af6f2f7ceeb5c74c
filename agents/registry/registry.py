"""Learned policies by name: those that are shipped, and those of a data folder.

    agents/shipped/NAME/                    policy.onnx, manifest.json
    DATA/policies/NAME/DIGEST/              the same; DIGEST is of their content
    DATA/policies/ledger.json               what was registered, promoted and refused

`learned:NAME` is the promoted version of that name, else the newest; `learned:NAME@DIGEST` is
exactly one. Nothing is registered that could not be loaded.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from agents.registry.audit_log import Action, AuditEvent, AuditLog
from agents.serving.artifact import MANIFEST, WEIGHTS, ArtifactManifest, load, read
from agents.serving.learned_policy import SCHEME, LearnedPolicy, learned
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.policies.lookup import register

FOLDER = "policies"
"""In the data folder."""
DEFAULT = "fulcrum"
"""The shipped policy that is the incumbent until another is promoted."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_LEGAL = "lower-case letters, digits and . _ -, at most 60, e.g. our-lab"
_SHIPPED = "shipped"
_DIGITS = 12
_INCOMING = ".incoming-"
_DATA = "FULCRUM_DATA_DIR"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a learned policy."""

    name: str
    digest: str
    """12 hexadecimal digits of the content; those of the folder's name, for what is not shipped."""
    folder: Path
    shipped: bool
    promoted: bool
    """Whether it is the incumbent: what others must beat."""

    @property
    def reference(self) -> str:
        """What names exactly this version wherever policies are named."""
        return f"{SCHEME}:{self.name}" if self.shipped else f"{SCHEME}:{self.name}@{self.digest}"

    @property
    def key(self) -> tuple[str, str]:
        """Name and digest, as in the ledger: a shipped policy is what the package has."""
        return self.name, _SHIPPED if self.shipped else self.digest

    @property
    def state(self) -> Literal["promoted", "shipped", "candidate"]:
        """`promoted`, `shipped` or `candidate`."""
        return "promoted" if self.promoted else "shipped" if self.shipped else "candidate"

    def manifest(self) -> ArtifactManifest:
        """Raises `InputError` with the reason if the files are damaged or do not match."""
        self._check()
        return read(self.folder).manifest

    def policy(self) -> LearnedPolicy:
        """Ready to decide; raises as `manifest`."""
        self._check()
        return learned(self.folder, self.reference)

    def fault(self) -> str:
        """Why it cannot be used; empty if it can."""
        try:
            self.manifest()
        except (InputError, MissingError) as error:
            return error.message
        return ""

    def summary(self) -> str:
        """One line for lists."""
        if fault := self.fault():
            return fault
        manifest = self.manifest()
        told = f"learned on {manifest.scenario}, {manifest.steps:,} decisions"
        judged = manifest.evaluation.get("policy")
        if judged is None:
            return told
        baseline = manifest.config.get("baseline") or manifest.config.get("reference", "wgc")
        return f"{told}, {judged['mean']:.3f} of {baseline}'s objective on validation"

    def _check(self) -> None:
        if not self.shipped and _digest_of(self.folder) != self.digest:
            raise InputError(
                f"{self.reference} is refused: its files are not those that were registered",
                {"policy": "undamaged files"},
            )


class Registry:
    """The policies of a data folder, and the shipped ones. Any number of processes may use it."""

    def __init__(self, data_dir: Path, shipped: Path | None = None) -> None:
        """`shipped`: None for those of this package."""
        self.folder = data_dir / FOLDER
        self.ledger = AuditLog(self.folder)
        self._shipped = _packaged() if shipped is None else shipped

    def entries(self) -> tuple[Entry, ...]:
        """Shipped ones first, then by name and oldest first; damaged ones too."""
        events = self.ledger.events()
        found = [
            Entry(folder.name, _digest_of(folder), folder, True, False)
            for folder in _folders(self._shipped)
        ]
        taken = {entry.name for entry in found}
        own = [
            Entry(folder.parent.name, folder.name, folder, False, False)
            for name in _folders(self.folder)
            if name.name not in taken
            for folder in _folders(name)
        ]
        order = {
            (event.name, event.digest): number
            for number, event in enumerate(events)
            if event.deed is Action.REGISTERED
        }
        own.sort(key=lambda entry: (entry.name, order.get((entry.name, entry.digest), -1)))
        incumbent = _incumbent(events, (*found, *own))
        return tuple(replace(entry, promoted=entry == incumbent) for entry in (*found, *own))

    def incumbent(self) -> Entry | None:
        """The promoted entry; until there is one, the shipped default, if there is that."""
        return next((entry for entry in self.entries() if entry.promoted), None)

    def find(self, text: str) -> Entry:
        """The entry of `NAME` or `NAME@DIGEST`, the digest abbreviated or whole.

        Raises `MissingError` naming those that are there.
        """
        name, _, digest = text.removeprefix(f"{SCHEME}:").partition("@")
        entries = self.entries()
        mine = [one for one in entries if one.name == name and one.digest.startswith(digest)]
        if digest and len({one.digest for one in mine}) > 1:
            mine = []
        promoted = [one for one in mine if one.promoted]
        if mine:
            return (promoted or mine)[-1]
        legal = ", ".join(one.reference for one in entries) or "none is registered yet"
        raise MissingError(f"there is no learned policy {text!r}", {"policy": f"one of: {legal}"})

    def policy(self, text: str) -> LearnedPolicy:
        """`learned:TEXT` for programs that may open nothing but what is registered.

        Raises `MissingError` or `InputError`.
        """
        if is_path(text):
            legal = ", ".join(entry.reference for entry in self.entries()) or "none yet"
            raise MissingError(
                f"{SCHEME}:{text} is a path; only registered policies may decide here",
                {"policy": f"one of: {legal}; fulcrum policy import FOLDER registers another"},
            )
        return self.find(text).policy()

    def add(self, name: str, weights: bytes, manifest: bytes, command: str = "") -> Entry:
        """Register an artifact; the same content again is the same entry.

        Raises `InputError` for an illegal name or an artifact that cannot be loaded,
        `StateError` for the name of a shipped policy.
        """
        self.check(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self.folder))
        try:
            (incoming / WEIGHTS).write_bytes(weights)
            (incoming / MANIFEST).write_bytes(manifest)
            load(incoming)
            digest = _digest(weights, manifest)
            place = self.folder / name / digest
            with self.ledger.locked():
                # What is damaged there is replaced by what is whole.
                if place.exists() and _digest_of(place) != digest:
                    shutil.rmtree(place)
                if not place.exists():
                    place.parent.mkdir(exist_ok=True)
                    incoming.rename(place)
            event = AuditEvent.now(Action.REGISTERED, name, digest, command)
            known = {(one.deed, one.name, one.digest) for one in self.ledger.events()}
            if (event.deed, name, digest) not in known:
                self.ledger.write(event)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return self.find(f"{name}@{digest}")

    def promote(
        self,
        entry: Entry,
        command: str = "",
        *,
        forced: bool,
        trial: dict[str, Any] | None = None,
        instead: Entry | None = None,
    ) -> Entry:
        """Make it the incumbent; whether that is deserved, `agents.evaluation.promotion` tells.

        `instead`: the incumbent when the test began, if there was one. Raises `StateError` if
        another has been promoted meanwhile, which the test knew nothing of; not if `forced`.
        """

        def still(events: Iterable[AuditEvent]) -> None:
            now = _incumbent(events, self.entries())
            if not forced and instead is not None and now is not None and now.key != instead.key:
                raise StateError(
                    f"{now.reference} was promoted meanwhile, and {entry.reference} has not met it",
                    {"policy": "promote it once more"},
                )

        self.ledger.write(
            AuditEvent.now(Action.PROMOTED, *entry.key, command, forced, trial), still
        )
        return self.find(entry.reference)

    def refuse(self, entry: Entry, command: str, trial: dict[str, Any]) -> None:
        """Remember that it was not promoted, and why."""
        self.ledger.write(AuditEvent.now(Action.REFUSED, *entry.key, command, trial=trial))

    def history(self, entry: Entry) -> tuple[AuditEvent, ...]:
        """What happened to it, oldest first."""
        return tuple(one for one in self.ledger.events() if (one.name, one.digest) == entry.key)

    def check(self, name: str) -> None:
        """Raises `InputError` for an illegal name, `StateError` for a shipped policy's."""
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name for a policy", {"name": _LEGAL})
        if name in {folder.name for folder in _folders(self._shipped)}:
            raise StateError(
                f"{name} is the name of a shipped policy", {"name": "another, e.g. our-lab"}
            )


def resolve(text: str, registry: Registry) -> LearnedPolicy:
    """`learned:TEXT` on a command line: a name, or the path of an artifact's folder.

    What has a separator, or begins with `.` or `~`, is a path. Raises `MissingError` or
    `InputError`.
    """
    if is_path(text):
        return learned(Path(text).expanduser(), f"{SCHEME}:{text}")
    try:
        return registry.find(text).policy()
    except MissingError as error:
        if Path(text).is_dir():
            error.fields["policy"] += f"; the folder is {SCHEME}:./{text}"
        raise


def content(text: str, registry: Registry) -> str:
    """12 hexadecimal digits of the files that `resolve` reads, empty if one is missing.

    Raises `MissingError`.
    """
    if is_path(text):
        return _digest_of(Path(text).expanduser())
    return _digest_of(registry.find(text).folder)


def default() -> Registry:
    """That of the data folder which the settings name."""
    from scheduler.settings import load as settings

    return Registry(settings().data_dir)


def offer() -> None:
    """Let `learned:…` be resolved by `default`, unless this program has said otherwise."""
    register(SCHEME, lambda text: resolve(text, default()), replace=False)


@contextmanager
def at(data_dir: Path | None) -> Iterator[None]:
    """Meanwhile the settings name this data folder (None: no change), also for processes begun."""
    before = os.environ.get(_DATA)
    if data_dir is not None:
        os.environ[_DATA] = str(data_dir)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_DATA] = before
        elif data_dir is not None:
            del os.environ[_DATA]


def is_path(text: str) -> bool:
    """Whether `learned:TEXT` names a folder on a command line, and no registered policy."""
    return "/" in text or os.sep in text or text.startswith((".", "~"))


def _packaged() -> Path:
    return Path(str(resources.files("agents.registry"))) / "shipped"


def _folders(folder: Path) -> Iterator[Path]:
    """Folders below it that may be names or digests; none where there is no such folder."""
    if folder.is_dir():
        yield from sorted(
            one for one in folder.iterdir() if one.is_dir() and NAME.fullmatch(one.name)
        )


def _incumbent(events: Iterable[AuditEvent], entries: Iterable[Entry]) -> Entry | None:
    """The last that was promoted and is still there, else the shipped default."""
    there = {entry.key: entry for entry in entries}
    promoted = [(event.name, event.digest) for event in events if event.deed is Action.PROMOTED]
    last = (there[key] for key in reversed(promoted) if key in there)
    return next(last, there.get((DEFAULT, _SHIPPED)))


def _digest_of(folder: Path) -> str:
    """Empty if a file is missing."""
    try:
        return _digest((folder / WEIGHTS).read_bytes(), (folder / MANIFEST).read_bytes())
    except OSError:
        return ""


def _digest(weights: bytes, manifest: bytes) -> str:
    content = hashlib.sha256(weights).digest() + hashlib.sha256(manifest).digest()
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
