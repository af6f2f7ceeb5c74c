"""Learned policies by name: those that are shipped, and those of a data folder.

    agents/registry/shipped/NAME/policy.onnx
    DATA/policies/NAME/DIGEST/policy.onnx   DIGEST is of the content
    DATA/policies/ledger.json               the audit log

`learned:NAME` is the promoted version of that name, else the newest; `learned:NAME@DIGEST` is
exactly one version. A policy that cannot be loaded is not registered.
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

from agents.registry.audit_log import AuditAction, AuditEvent, AuditLog
from agents.registry.old_archive import converted
from agents.serving.artifact import (
    BEST,
    FILE,
    ArtifactManifest,
    content_of,
    parse,
    read,
    unpack,
)
from agents.serving.learned_policy import SCHEME, LearnedPolicy, learned
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.lookup import register

FOLDER = "policies"
"""Name of the registry's folder in the data folder."""
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
    """12 hexadecimal digits of the content; the name of the folder, unless it is shipped."""
    folder: Path
    shipped: bool
    promoted: bool
    """Whether it is the incumbent, which others must beat."""

    @property
    def reference(self) -> str:
        """The name of exactly this version, wherever policies are named."""
        return f"{SCHEME}:{self.name}" if self.shipped else f"{SCHEME}:{self.name}@{self.digest}"

    @property
    def key(self) -> tuple[str, str]:
        """Name and digest in the audit log; those of a shipped policy do not name a version."""
        return self.name, _SHIPPED if self.shipped else self.digest

    @property
    def state(self) -> Literal["promoted", "shipped", "candidate"]:
        """Return `promoted`, `shipped` or `candidate`."""
        return "promoted" if self.promoted else "shipped" if self.shipped else "candidate"

    def manifest(self) -> ArtifactManifest:
        """Raises `InputError` with the reason if the file is damaged or was changed."""
        self._check()
        return read(self.folder).manifest

    def policy(self) -> LearnedPolicy | LearnedIndex:
        """The policy, ready to decide. Raises as `manifest`."""
        self._check()
        return learned(self.folder, self.reference)

    def fault(self) -> str:
        """The reason why it cannot be used; empty if it can."""
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
        if manifest.kept_base:
            start = manifest.started_from
            return f"{start} itself: learning on {manifest.scenario} found nothing better"
        text = f"learned on {manifest.scenario}, {manifest.steps:,} decisions"
        if manifest.base:
            text = f"corrects {manifest.base}, {text}"
        score = manifest.evaluation.get("policy")
        if score is None:
            return text
        return f"{text}, {score['mean']:.3f} of {manifest.baseline}'s objective on validation"

    def _check(self) -> None:
        if not self.shipped and _digest_of(self.folder) != self.digest:
            raise InputError(
                f"{self.reference} is refused: its file is not the one that was registered",
                {"policy": "an undamaged file"},
            )


class Registry:
    """The policies of a data folder and the shipped ones. Any number of processes may use it."""

    def __init__(self, data_dir: Path, shipped: Path | None = None) -> None:
        """`shipped`: folder of the shipped policies; None: that of this package."""
        self.folder = data_dir / FOLDER
        self.audit_log = AuditLog(self.folder)
        self._shipped = _packaged() if shipped is None else shipped

    def entries(self) -> tuple[Entry, ...]:
        """All entries, damaged ones too: the shipped ones, then by name and oldest first."""
        events = self.audit_log.events()
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
            if event.action is AuditAction.REGISTERED
        }
        own.sort(key=lambda entry: (entry.name, order.get((entry.name, entry.digest), -1)))
        incumbent = _incumbent(events, (*found, *own))
        return tuple(replace(entry, promoted=entry == incumbent) for entry in (*found, *own))

    def incumbent(self) -> Entry | None:
        """The promoted entry; until there is one, the shipped default, if there is that."""
        return next((entry for entry in self.entries() if entry.promoted), None)

    def find(self, text: str) -> Entry:
        """The entry of `NAME` or `NAME@DIGEST`, the digest abbreviated or whole.

        Raises `MissingError` that names the registered ones.
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

    def policy(self, text: str) -> LearnedPolicy | LearnedIndex:
        """`learned:TEXT` for programs that may open only registered policies.

        Raises `MissingError` or `InputError`.
        """
        if is_path(text):
            legal = ", ".join(entry.reference for entry in self.entries()) or "none yet"
            raise MissingError(
                f"{SCHEME}:{text} is a path; only registered policies may decide here",
                {"policy": f"one of: {legal}; fulcrum policy import FOLDER registers another"},
            )
        return self.find(text).policy()

    def add(self, name: str, content: bytes, command: str = "") -> Entry:
        """Register an artifact; the same content again is the same entry.

        `content`: that of an exported file, or of an archive that an older version exported.
        Raises `InputError` for an illegal name or an artifact that cannot be loaded,
        `StateError` for the name of a shipped policy.
        """
        self.check(name)
        content = converted(content)
        parse(content)
        digest = _digest(content)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self.folder))
        try:
            (incoming / FILE).write_bytes(content)
            place = self.folder / name / digest
            with self.audit_log.locked():
                # An intact version replaces a damaged one.
                if place.exists() and _digest_of(place) != digest:
                    shutil.rmtree(place)
                if not place.exists():
                    place.parent.mkdir(exist_ok=True)
                    incoming.rename(place)
            event = AuditEvent.now(AuditAction.REGISTERED, name, digest, command)
            known = {(one.action, one.name, one.digest) for one in self.audit_log.events()}
            if (event.action, name, digest) not in known:
                self.audit_log.write(event)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return self.find(f"{name}@{digest}")

    def import_file(self, path: Path, name: str | None = None, command: str = "") -> Entry:
        """Register the artifact of an exported file, or of the folder of a training.

        `name`: None for that of the file or of the training. Raises `MissingError` if there is
        no such file, otherwise as `add`.
        """
        place = path.resolve()
        if path.is_dir():
            # Every training calls the folder of its artifact `best`.
            place = place.parent if place.name == BEST else place
            path = path / BEST if (path / BEST).is_dir() else path
        elif not path.exists():
            raise MissingError(f"there is no {path}", {"file": "an exported policy, or a folder"})
        return self.add(
            place.name.partition(".")[0].casefold() if name is None else name,
            content_of(path),
            command,
        )

    def export(self, text: str) -> tuple[Entry, bytes]:
        """The entry of `NAME` or `NAME@DIGEST`, and the content of a file that `add` takes.

        Raises `MissingError`, or `InputError` if its file is damaged.
        """
        entry = self.find(text)
        entry.manifest()
        return entry, content_of(entry.folder)

    def promote(
        self,
        entry: Entry,
        command: str = "",
        *,
        forced: bool,
        trial: dict[str, Any] | None = None,
        instead: Entry | None = None,
    ) -> Entry:
        """Make it the incumbent; `agents.evaluation.promotion` tests whether it should be.

        `instead`: the incumbent when the test began, if there was one. Raises `StateError` if
        another has been promoted since, unless `forced`: the test did not compare the two.
        """

        def still(events: Iterable[AuditEvent]) -> None:
            now = _incumbent(events, self.entries())
            if not forced and instead is not None and now is not None and now.key != instead.key:
                raise StateError(
                    f"{now.reference} was promoted meanwhile, and {entry.reference} was not tested "
                    "against it",
                    {"policy": "promote it again, which tests it again"},
                )

        self.audit_log.write(
            AuditEvent.now(AuditAction.PROMOTED, *entry.key, command, forced, trial), still
        )
        return self.find(entry.reference)

    def refuse(self, entry: Entry, command: str, trial: dict[str, Any]) -> None:
        """Record that it was not promoted, and the test that says why."""
        self.audit_log.write(AuditEvent.now(AuditAction.REFUSED, *entry.key, command, trial=trial))

    def history(self, entry: Entry) -> tuple[AuditEvent, ...]:
        """The events of an entry, oldest first."""
        return tuple(one for one in self.audit_log.events() if (one.name, one.digest) == entry.key)

    def check(self, name: str) -> None:
        """Raises `InputError` for an illegal name, `StateError` for a shipped policy's."""
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is not a valid policy name", {"name": _LEGAL})
        if name in {folder.name for folder in _folders(self._shipped)}:
            raise StateError(
                f"{name} is the name of a shipped policy", {"name": "another, e.g. our-lab"}
            )


def resolve(text: str, registry: Registry) -> LearnedPolicy | LearnedIndex:
    """`learned:TEXT` on a command line: a name, or the path of an artifact.

    A text that has a separator, or begins with `.` or `~`, is a path. Raises `MissingError` or
    `InputError`.
    """
    if is_path(text):
        return learned(Path(text).expanduser(), f"{SCHEME}:{text}")
    try:
        return registry.find(text).policy()
    except MissingError as error:
        if Path(text).exists():
            error.fields["policy"] += f"; the path is {SCHEME}:./{text}"
        raise


def content(text: str, registry: Registry) -> str:
    """12 hexadecimal digits of the artifact that `resolve` reads, empty if it is missing.

    Raises `MissingError`.
    """
    if is_path(text):
        return _digest_of(Path(text).expanduser())
    return _digest_of(registry.find(text).folder)


def default() -> Registry:
    """The registry of the data folder that the settings name."""
    from scheduler.settings import load as settings

    return Registry(settings().data_dir)


def offer() -> None:
    """Resolve `learned:…` by `default`, unless this program has registered another resolver."""
    register(SCHEME, lambda text: resolve(text, default()), replace=False)


@contextmanager
def at(data_dir: Path | None) -> Iterator[None]:
    """In the block the settings name this data folder, in new processes too; None: no change."""
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
    """Whether `learned:TEXT` is a path on a command line, and not a registered policy."""
    return "/" in text or os.sep in text or text.startswith((".", "~"))


def _packaged() -> Path:
    return Path(str(resources.files("agents.registry"))) / "shipped"


def _folders(folder: Path) -> Iterator[Path]:
    """Folders in it that may be names or digests; none if it does not exist."""
    if folder.is_dir():
        yield from sorted(
            one for one in folder.iterdir() if one.is_dir() and NAME.fullmatch(one.name)
        )


def _incumbent(events: Iterable[AuditEvent], entries: Iterable[Entry]) -> Entry | None:
    """The last promoted entry that still exists, else the shipped default."""
    there = {entry.key: entry for entry in entries}
    promoted = [
        (event.name, event.digest) for event in events if event.action is AuditAction.PROMOTED
    ]
    last = (there[key] for key in reversed(promoted) if key in there)
    return next(last, there.get((DEFAULT, _SHIPPED)))


def _digest_of(path: Path) -> str:
    """Digest of an artifact; empty if it is missing or damaged."""
    try:
        return _digest(content_of(path))
    except (OSError, MissingError, InputError):
        return ""


def _digest(content: bytes) -> str:
    # Equal for the two files of the old format.
    parts = b"".join(hashlib.sha256(part).digest() for part in unpack(content))
    return hashlib.sha256(parts).hexdigest()[:_DIGITS]
