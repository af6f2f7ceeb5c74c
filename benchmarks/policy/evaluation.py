"""Policies on cases, in parallel processes; what was simulated once is kept."""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

from agents.serving.learned_policy import SCHEME, learned
from api.cli.support.output import err
from api.cli.support.progress_bar import ProgressBar
from benchmarks.policy.cases import Case, CaseFigures
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import FulcrumError
from scheduler.policies.lookup import named

KEPT = Path(__file__).resolve().parents[2] / "build" / "bench-policy" / "runs.jsonl"
"""Where results are kept between runs; may be deleted at any time."""
NICENESS = 5
"""Of worker processes: measuring must not get in the way of whoever works beside it."""
_PACKAGES = ("scheduler.domain", "scheduler.decisions", "scheduler.policies", "envs")


@dataclass(frozen=True, slots=True)
class RunTask:
    """One simulation."""

    case: Case
    policy: str
    """As `scheduler.policies.lookup.named` takes it."""

    @property
    def key(self) -> str:
        """Equal keys: equal results for equal code."""
        return f"{identity(self.policy)} {self.case.key}"


@dataclass(frozen=True, slots=True)
class Results:
    """By `RunTask.key`."""

    figures: Mapping[str, CaseFigures]
    failures: Mapping[str, str]

    def of(self, policy: str, cases: Iterable[Case]) -> list[CaseFigures] | None:
        """In the order of the cases; None if any of them failed."""
        keys = [RunTask(case, policy).key for case in cases]
        if any(key in self.failures for key in keys):
            return None
        return [self.figures[key] for key in keys]


class Kept:
    """Results of earlier runs, as JSON lines. A line counts only for equal code."""

    def __init__(self, path: Path | None = KEPT) -> None:
        """None: nothing is kept."""
        self._path = path
        self._known: dict[str, CaseFigures] = dict(_read(path)) if path is not None else {}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> CaseFigures:
        return self._known[key]

    def add(self, key: str, found: CaseFigures) -> None:
        """Keep a result, at once."""
        self._known[key] = found
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "code": code(), **asdict(found)}) + "\n")


def evaluate(what: str, tasks: Sequence[RunTask], kept: Kept, workers: int) -> Results:
    """Simulate what is not known yet. A task that fails is told, and the others go on."""
    by_key = {task.key: task for task in tasks}
    missing = {key: task for key, task in by_key.items() if key not in kept}
    failures: dict[str, str] = {}
    with ProgressBar(what, len(by_key), err(), already=len(by_key) - len(missing)) as bar:
        for key, found in _simulated(missing, workers):
            if isinstance(found, str):
                failures[key] = found
                err().print(f"failed: {key}: {found}", markup=False, soft_wrap=True)
            else:
                kept.add(key, found)
            bar.step()
    return Results({key: kept[key] for key in by_key if key in kept}, failures)


@lru_cache(maxsize=64)
def identity(name: str) -> str:
    """What decides: of learned policies the digest of what decides, not where it lies."""
    scheme, _, rest = name.partition(":")
    if scheme != SCHEME:
        return name
    from agents.serving.artifact import load

    manifest = load(Path(rest)).manifest
    return f"{SCHEME}:{manifest.sha256[:16]}/{manifest.rows}/{manifest.mode}"


@lru_cache(maxsize=16)
def policy(name: str) -> Policy:
    """The policy of that name; `learned:` is followed by the path of an artifact here."""
    scheme, _, rest = name.partition(":")
    return learned(rest) if scheme == SCHEME else named(name)


@cache
def code() -> str:
    """12 hexadecimal digits of the code that decides and simulates, comments left out."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        root = Path(str(resources.files(package)))
        for file in sorted(root.rglob("*")):
            # Scenarios are in the key of each case; the compiled twin plays in trainings alone.
            within = file.relative_to(root).parts
            if "rigid" in within:
                continue
            if file.suffix == ".py":
                digest.update(_meaning(file))
            elif file.suffix in (".toml", ".json") and "scenarios" not in within:
                digest.update(file.read_bytes())
    digest.update(_meaning(Path(str(resources.files("agents.serving"))) / "learned_policy.py"))
    return digest.hexdigest()[:12]


def _meaning(file: Path) -> bytes:
    """Syntax without docstrings: neither they nor the formatting change a result."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_text(part: ast.stmt) -> bool:
    return (
        isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
    )


def _simulated(
    missing: Mapping[str, RunTask], workers: int
) -> Iterator[tuple[str, CaseFigures | str]]:
    if workers == 1 or len(missing) <= 1:
        for key, task in missing.items():
            yield key, _guarded(task)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(workers, context, os.nice, (NICENESS,)) as pool:
        futures = {pool.submit(_guarded, task): key for key, task in missing.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _guarded(task: RunTask) -> CaseFigures | str:
    try:
        return task.case.run(policy(task.policy))
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
            continue  # killed in the middle of a line
