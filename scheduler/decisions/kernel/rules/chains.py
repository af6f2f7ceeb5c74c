"""Chains of jobs that may be alike: those whose signatures have the same hash.

To find the jobs that are like another one takes a look at its chain, not at the whole queue.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import CHAINED, GONE, SLOTS_USED, Columns

_LEAST = 64
_SPREAD = 97.0
_GREATEST = 1e15


@compiled
def chain_of(w: Columns, slot: int) -> int:
    """The first slot of the chain that a job belongs to; 0: none."""
    return int(w.chain_first[_place(w, slot)])


@compiled
def join_chain(w: Columns, slot: int) -> None:
    """Put the newest job into its chain."""
    if w.count[SLOTS_USED] > 2 * w.state[CHAINED]:
        chain_all(w)
    else:
        _join(w, slot)


@compiled
def chain_all(w: Columns) -> None:
    """Make as many chains as suit the number of slots, and put all jobs into them."""
    chains = min(max(_LEAST, w.count[SLOTS_USED]), len(w.job_id))
    w.state[CHAINED] = chains
    for place in range(chains):
        w.chain_first[place] = 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != GONE:
            _join(w, slot)


@compiled
def _join(w: Columns, slot: int) -> None:
    place = _place(w, slot)
    w.job_link[slot] = w.chain_first[place]
    w.chain_first[place] = slot


@compiled
def _place(w: Columns, slot: int) -> int:
    scaled = abs(w.job_signature[slot]) * _SPREAD
    return int(scaled) % w.state[CHAINED] if scaled < _GREATEST else 0
