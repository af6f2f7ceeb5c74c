"""Print the versions in this environment of everything the project needs, as constraints.

What only exists for one platform (the CUDA libraries that torch brings along) is left out, so
that the file holds everywhere.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "fulcrum-scheduler"
EXTRAS = {"service", "train", "postgres", "ray", "s3", "otel", "dev"}
PLATFORM = re.compile(r"nvidia-(?!ml-py$)|cuda-|triton$")
HEADER = f"# The versions that {PROJECT} is tested with; `make constraints` writes this file."


def closure(project: str, extras: set[str]) -> dict[str, str]:
    """Name to version of all direct and transitive requirements that are installed here."""
    versions: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(project, frozenset(extras))]
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, active = wanted
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        versions[canonicalize_name(name)] = found.version.partition("+")[0]
        for text in found.requires or ():
            required = Requirement(text)
            environments = [{"extra": extra} for extra in ("", *active)]
            if required.marker is None or any(map(required.marker.evaluate, environments)):
                waiting.append((canonicalize_name(required.name), frozenset(required.extras)))
    return versions


if __name__ == "__main__":
    print(HEADER)
    for name, version in sorted(closure(PROJECT, EXTRAS).items()):
        if name != PROJECT and not PLATFORM.match(name):
            print(f"{name}=={version}")
