"""Simulations of policies on cases, in parallel processes; the results are kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from agents.evaluation.provenance import code
from agents.process_pool import ProcessPool
from agents.serving.artifact import read
from agents.serving.learned_policy import SCHEME, learned
from api.cli.support.output import err
from api.cli.support.progress_bar import ProgressBar
from benchmarks.policy import artifacts
from benchmarks.policy.cases import Case, CaseFigures
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import FulcrumError
from scheduler.policies.lookup import named

KEPT = artifacts.BUILD / "runs.jsonl"
"""File of the results; may be deleted at any time."""
_Key = TypeVar("_Key", bound=Hashable)
_Task = tuple[Case, str]
"""(case, name of the policy)."""


class KeptResults:
    """Results of earlier runs, as JSON lines. A line counts only if the code is the same."""

    def __init__(self, path: Path | None = KEPT) -> None:
        """`path`: None to keep nothing."""
        self._path = path
        self._known: dict[str, CaseFigures] = dict(_read(path)) if path is not None else {}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> CaseFigures:
        return self._known[key]

    def add(self, key: str, found: CaseFigures) -> None:
        """Keep a result, and write it at once."""
        self._known[key] = found
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "code": code(), **asdict(found)}) + "\n")


@dataclass(frozen=True, slots=True)
class Measuring:
    """Settings of a measurement."""

    quick: bool = False
    """Two workloads instead of all, to check that everything works."""
    workers: int = 1
    folder: Path = artifacts.FOLDER
    """Folder of the artifacts."""
    kept: KeptResults = field(default_factory=KeptResults)

    def find(self, *groups: str, seeds: int = artifacts.SEEDS) -> artifacts.Found:
        """Artifacts of these groups."""
        return artifacts.find(*groups, folder=self.folder, seeds=seeds)

    def some(self, count: int) -> range:
        """Seeds of `count` workloads, or of two if `quick`."""
        return range(2 if self.quick else count)

    def runs(
        self,
        title: str,
        keys: Iterable[_Key],
        policies: Mapping[str, str],
        cases: Callable[[str, _Key], Sequence[Case]],
        missing: list[str],
    ) -> dict[_Key, dict[str, list[CaseFigures]]]:
        """Simulate each policy on its cases of each key, or look up kept results.

        `policies`: name → policy as `scheduler.policies.lookup.named` takes it. `cases` (name,
        key): empty for a pair that is left out. Returns key → name → figures in the order of the
        cases; a policy that failed on a case of a key is not there, and `missing` gets a note.
        """
        tasks = {
            (key, name): {task_key(case, policy): (case, policy) for case in those}
            for key in keys
            for name, policy in policies.items()
            if (those := cases(name, key))
        }
        self._simulate(title, dict(each for those in tasks.values() for each in those.items()))
        found: dict[_Key, dict[str, list[CaseFigures]]] = {key: {} for key, _ in tasks}
        for (key, name), wanted in tasks.items():
            if all(each in self.kept for each in wanted):
                found[key][name] = [self.kept[each] for each in wanted]
            else:
                missing.append(f"{name}: failed ({key})")
        return found

    def _simulate(self, title: str, tasks: Mapping[str, _Task]) -> None:
        unknown = {key: task for key, task in tasks.items() if key not in self.kept}
        bar = ProgressBar(title, len(tasks), err(), already=len(tasks) - len(unknown))
        with bar, ProcessPool(None, self.workers) as pool:
            for key, found in zip(unknown, pool.map(_run, unknown.values()), strict=True):
                if isinstance(found, str):
                    err().print(f"failed: {key}: {found}", markup=False, soft_wrap=True)
                else:
                    self.kept.add(key, found)
                bar.step()


def task_key(case: Case, policy: str) -> str:
    """Equal keys have equal results by the same code."""
    return f"{_identity(policy)} {case.key}"


@lru_cache(maxsize=16)
def policy_of(name: str) -> Policy:
    """The policy of that name; in benchmarks the path of an artifact follows `learned:`."""
    scheme, _, rest = name.partition(":")
    return learned(rest) if scheme == SCHEME else named(name)


@lru_cache(maxsize=64)
def _identity(name: str) -> str:
    """The name, or of a learned policy what it decides with, wherever its file is."""
    scheme, _, rest = name.partition(":")
    if scheme != SCHEME:
        return name
    manifest = read(Path(rest)).manifest
    return f"{SCHEME}:{manifest.sha256[:16]}/{manifest.rows}/{manifest.mode}"


def _run(_: None, task: _Task) -> CaseFigures | str:
    """Figures, or the error."""
    case, policy = task
    try:
        return case.run(policy_of(policy))
    except FulcrumError as error:
        return error.message
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _read(path: Path) -> Iterator[tuple[str, CaseFigures]]:
    if not path.is_file():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            content = json.loads(line)
            if content.pop("code") == code():
                key = content.pop("key")
                yield key, CaseFigures(**content | {"blocks": tuple(content["blocks"])})
        except (ValueError, KeyError, TypeError):
            continue  # the process was killed while it wrote the line
