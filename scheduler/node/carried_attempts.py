"""An attempt that works on the node's own disk, and how its paths there and elsewhere correspond.

The service names folders as if all machines shared its data folder. Where they do not, each
attempt has a folder on the node's disk, with the same names below it, and the storage the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scheduler.executors.base import LaunchSpec
from scheduler.files import write_text
from scheduler.ownership.fences import Owner
from scheduler.storage.job_storage import JobStorage
from scheduler.storage.objects import ObjectStorage

CHECKPOINTS, ARTIFACTS = "checkpoints", "artifacts"
RECORD = "carried.json"


@dataclass(frozen=True, slots=True)
class CarriedAttempt:
    """Names of an attempt's folders in the storage, and where they lie here."""

    folder: str
    """On this disk; all below it belongs to the attempt."""
    attempt: str
    nonce: str
    job: str
    """Name of the job's folder, such as `17`."""
    job_nonce: str
    run: str
    """Name of the attempt's folder within the job's, such as `attempt-2`, or beside it."""
    rank: int = 0

    @classmethod
    def of(cls, spec: LaunchSpec, root: Path, home: Path) -> CarriedAttempt:
        """Of a spec with the service's paths below `root`, on a disk with the folder `home`."""
        return cls(
            folder=str(home / f"{spec.attempt}-{spec.nonce}"),
            attempt=spec.attempt,
            nonce=spec.nonce,
            job=spec.shared.relative_to(root).as_posix(),
            job_nonce=spec.job_nonce,
            run=spec.folder.relative_to(root).as_posix(),
            rank=spec.rank,
        )

    @classmethod
    def read(cls, folder: Path) -> CarriedAttempt | None:
        """What `write` left in the folder; None if it is not there."""
        try:
            return cls(**json.loads((folder / RECORD).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self) -> None:
        """Leave a record for a later agent. Raises `OSError`."""
        write_text(self.place / RECORD, json.dumps(asdict(self)), durable=False)

    @property
    def place(self) -> Path:
        """`folder` as a path."""
        return Path(self.folder)

    @property
    def shared(self) -> Path:
        """The job's folder here."""
        return self.place / self.job

    @property
    def own(self) -> Path:
        """The attempt's folder here."""
        return self.place / self.run

    @property
    def part(self) -> Path:
        """The folder of this rank's log and metrics."""
        return self.own / f"rank-{self.rank}" if self.rank else self.own

    @property
    def owner(self) -> Owner:
        """The attempt as the owner of its job's folder."""
        return Owner(self.attempt, self.nonce)

    def within(self, storage: ObjectStorage) -> JobStorage:
        """The job's part of the storage."""
        return JobStorage(storage, self.job, self.job_nonce, self.owner)

    def relocated(self, spec: LaunchSpec, root: Path) -> LaunchSpec:
        """The spec with the paths of this disk."""
        earlier = spec.resume_from
        return replace(
            spec,
            folder=self.own,
            shared=self.shared,
            work={name: self._moved(value, root) for name, value in spec.work.items()},
            resume_from=None if earlier is None else Path(self._moved(str(earlier), root)),
        )

    def inputs(self, spec: LaunchSpec, root: Path) -> Mapping[str, Path]:
        """Stored folders of other jobs that the work reads (`12/artifacts`) → where it does."""
        named = {
            Path(path).relative_to(root).parts[:2]
            for path in (*_texts(spec.work), str(spec.resume_from or ""))
            if Path(path).is_relative_to(root)
        }
        return {"/".join(parts): self.place / "inputs" / Path(*parts) for parts in named}

    def _moved(self, value: Any, root: Path) -> Any:
        if isinstance(value, str) and Path(value).is_relative_to(root):
            return str(self.place / "inputs" / Path(value).relative_to(root))
        if isinstance(value, list | tuple):
            return [self._moved(item, root) for item in value]
        return value


def _texts(work: Mapping[str, Any]) -> Iterator[str]:
    for value in work.values():
        items = value if isinstance(value, list | tuple) else (value,)
        yield from (item for item in items if isinstance(item, str))
