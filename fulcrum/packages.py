"""Whether Fulcrum's packages are its own: `agents` and `api` are names that others use too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = "fulcrum-scheduler"
CLIENT = ("api", "scheduler")
"""Packages that the client and the command line import."""
ALL = ("agents", "api", "envs", "fulcrum", "scheduler")
ADVICE = "install Fulcrum in an environment of its own, without these in PYTHONPATH"
ROOT = Path(__file__).resolve().parents[1]


def check() -> None:
    """Raise `ImportError` if another package stands in for one that the client needs."""
    found = list(foreign(CLIENT))
    if found:
        raise ImportError(f"{'; '.join(found)}, not from Fulcrum in {ROOT}: {ADVICE}")


def foreign(names: Iterable[str] = ALL) -> Iterator[str]:
    """A sentence for each package in `names` that is not imported from Fulcrum's folder."""
    for name in names:
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        if spec is None:
            yield f"the package {name} is missing"
        elif not places or Path(places[0]).resolve() != ROOT / name:
            yield f"{name} is imported from {places[0] if places else spec.origin}"
