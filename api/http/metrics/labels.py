"""Labels of a bounded number: each label costs Prometheus a time series for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

OTHER = "other"
"""What all further names count as."""


class BoundedLabels:
    """The first `most` names are labels; all later ones count together."""

    def __init__(self, most: int = 50) -> None:
        self._most = most
        self._known: set[str] = set()

    def sums(self, values: Mapping[str, float]) -> dict[str, float]:
        """Values by label; a name that once was a label stays one, so that no counter falls."""
        sums: Counter[str] = Counter()
        for name, value in values.items():
            if name not in self._known and len(self._known) < self._most:
                self._known.add(name)
            sums[name if name in self._known else OTHER] += value  # type: ignore[assignment]
        return dict(sums)
