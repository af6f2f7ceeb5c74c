"""What jobs have left, where it lies in a storage and not in the data folder."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.errors import OutageError
from scheduler.service.maintenance.disk_usage import MODELS, Kind
from scheduler.service.paths import Paths
from scheduler.storage.job_storage import JOBS
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import drop, fetch_file, read_stub


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of jobs; without a storage all of them are in the data folder."""

    folders: Paths
    storage: ObjectStorage | None = None

    def bring(self, job: int, name: str) -> None:
        """Copy an artifact that is stored elsewhere into the data folder, unless it is there.

        Raises `OutageError` if the storage does not answer.
        """
        folder = self.folders.artifacts(job)
        own, files = read_stub(folder)
        if self.storage is None or name not in files:
            return
        try:
            fetch_file(self.storage, own, name, files[name], folder)
        except OSError as error:
            raise OutageError(f"{name} cannot be read from the storage: {error}") from None

    def remove(self, job: int, kind: Kind) -> None:
        """Remove one kind of a job's files from the storage. Raises `OSError`."""
        if self.storage is None:
            return
        name = f"{JOBS}/{job}"
        match kind:
            case Kind.CHECKPOINTS:
                self.storage.remove(f"{name}/checkpoints")
            case Kind.LOGS:
                runs = {one.partition("/")[0] for one in self.storage.sizes(name)}
                for run in runs:
                    if run.startswith("attempt-"):
                        self.storage.remove(f"{name}/{run}")
            case _:
                models = kind is Kind.MODELS
                folder = self.folders.artifacts(job)
                drop(
                    self.storage,
                    f"{name}/artifacts",
                    lambda file: (file in MODELS) == models,
                    folder,
                )
