"""The heuristics that whatever was learnt is held against, in training and at promotion."""

from __future__ import annotations

RIVALS = ("wgc", "fastest", "cheapest", "best-value", "sjf", "fcfs", "saf", "f1", "f4")
"""What is on everybody's shelf: the best of them is the one to beat. Orders by area and F1, F4 are
the best on parallel computers' logs, wgc and the placements by price on mixed clusters."""
