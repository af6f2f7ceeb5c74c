"""Labels of a bounded number: each label costs Prometheus a time series for ever."""

from __future__ import annotations

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
        sums: dict[str, float] = {}
        for name, value in values.items():
            if name not in self._known and len(self._known) < self._most:
                self._known.add(name)
            label = name if name in self._known else OTHER
            sums[label] = sums.get(label, 0.0) + value
        return sums
