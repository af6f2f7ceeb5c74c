"""Simulations of policies on cases, in parallel processes; the results are kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from agents.evaluation.provenance import code
from agents.process_pool import ProcessPool
from agents.serving.artifact import read
from agents.serving.learned_policy import SCHEME, LearnedPolicy, learned
from api.cli.support.output import err
from api.cli.support.progress_bar import ProgressBar
from benchmarks.policy import artifacts
from benchmarks.policy.cases import Case, CaseFigures
from scheduler.decisions.kernel.wgc_adjustment import ADJUSTMENT
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.policies import moves
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.lookup import named
from scheduler.policies.search import SUFFIX, SearchedPolicy, limited
from scheduler.policies.wgc import Wgc

KEPT = artifacts.BUILD / "runs.jsonl"
"""File of the results; may be deleted at any time."""
SEARCH_S = 0.01
"""Seconds that a search may take in a round."""
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
    jobs: int | None = None
    """Counted jobs of workloads in steady state; None: as many as the scenario says."""
    workers: int = 1
    folder: Path = artifacts.FOLDER
    """Folder of the artifacts."""
    learned: tuple[str, ...] = (artifacts.SHIPPED, artifacts.RIVAL)
    """Groups of artifacts that the parts in steady state measure."""
    trainings: tuple[Path, ...] = ()
    """Folders of trainings, for their curves."""
    results: Path = artifacts.BUILD / "quick"
    """Folder of results: the goals are read from those of the other parts."""
    kept: KeptResults = field(default_factory=KeptResults)

    def find(self, *groups: str, seeds: int = artifacts.SEEDS) -> artifacts.Found:
        """Artifacts of these groups."""
        return artifacts.find(*groups, folder=self.folder, seeds=seeds)

    def learners(self, missing: list[str]) -> dict[str, str]:
        """Name → policy of the learned policies in steady state; `missing` gets the notes."""
        found = self.find(*self.learned, seeds=1)
        missing += found.missing
        return found.names

    def shipped(self, missing: list[str]) -> dict[str, str]:
        """Name → policy of the one that ships; `missing` gets a note without it."""
        return replace(self, learned=(artifacts.SHIPPED,)).learners(missing)

    def some(self, count: int) -> range:
        """Seeds of `count` workloads, or of at most two if `quick`."""
        return range(min(2, count) if self.quick else count)

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
    """The policy of that name, as `scheduler.policies.lookup.named` knows it.

    In benchmarks the path of an artifact follows `learned:`; `#index` or `#constants` behind it
    leaves only this part of a learned index. `+search/0.03` limits a search to 0.03 s in a round.
    """
    if name.endswith(moves.SUFFIX):
        return moves.MovingPolicy(policy_of(name.removesuffix(moves.SUFFIX)))
    inner, search, limit = name.partition(SUFFIX)
    if search:
        return limited(SearchedPolicy(policy_of(inner)), float(limit[1:] or "inf"))
    scheme, _, rest = name.partition(":")
    if scheme != SCHEME:
        return named(name)
    path, _, part = rest.partition("#")
    return only(Path(path), part) if part else learned(path)


def searchable(name: str) -> bool:
    """Whether a search over the policy ends in good time: not if a network of rows plays out."""
    return not isinstance(policy_of(name), LearnedPolicy)


def only(path: Path, part: str) -> LearnedIndex:
    """The learned index of an artifact with one part of its weights; the others are 0.

    `index`: what corrects the order of jobs; `constants`: what changes wgc's constants. Raises
    `InputError` for another policy or part.
    """
    policy = learned(path)
    if not isinstance(policy, LearnedIndex) or part not in ("index", "constants"):
        raise InputError(f"{path} has no part {part!r}", {"policy": "index or constants"})
    size = len(policy.weights) - (ADJUSTMENT if isinstance(policy.base, Wgc) else 0)
    weights = policy.weights.copy()
    weights[slice(size, None) if part == "index" else slice(size)] = 0.0
    return replace(policy, weights=weights)


@lru_cache(maxsize=64)
def _identity(name: str) -> str:
    """The name, or of a learned policy what it decides with, wherever its file is."""
    if name.endswith(moves.SUFFIX):
        return _identity(name.removesuffix(moves.SUFFIX)) + moves.SUFFIX
    scheme, _, rest = name.partition(":")
    if scheme != SCHEME:
        return name
    path, search, limit = rest.partition(SUFFIX)
    path, _, part = path.partition("#")
    manifest = read(Path(path)).manifest
    decides = f"{manifest.sha256[:16]}/{manifest.rows}/{manifest.mode}"
    return f"{SCHEME}:{decides}{part}{search}{limit}"


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
                pairs = {name: tuple(content[name]) for name in ("blocks", "regime")}
                yield key, CaseFigures(**content | pairs)
        except (ValueError, KeyError, TypeError):
            continue  # the process was killed while it wrote the line
