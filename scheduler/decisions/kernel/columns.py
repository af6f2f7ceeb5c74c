"""The columns of a world: what decisions know, as arrays that compiled functions read and change.

Indices lead from one group to another: a row names its job's slot and its shape, a shape its pool,
a pool its first node. Slot 0 and row 0 are WAIT, the choice to start nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scheduler.compilation.columns import (
    Bytes,
    Bytes2D,
    Floats,
    Floats2D,
    Floats32,
    Floats32x2D,
    Ints,
    Ints2D,
)

JOBS, ROWS, SHAPES, POOLS = "jobs", "rows", "shapes", "pools"
NODES, BUCKETS, DEVICES, RELEASES = "nodes", "buckets", "devices", "releases"
MIX, PROJECTS, SHOWN_ROWS, ONE = "mix", "projects", "shown_rows", "one"
FIXED = (POOLS, NODES, BUCKETS, DEVICES, RELEASES, ONE)
"""Groups whose size the pools decide; the others grow."""

CHANGING, STATIC, SCRATCH = "changing", "static", "scratch"
"""Uses of columns."""

LIVE, RESERVED, BESIDE, TRIAL = range(4)
"""Planes of occupancy: now; at the start of the pool's reservation; what is free in both; scratch.
"""
PLANES = 4
JOB_TERMS = 19
LEARNED_ORDERS, PRICES, STATIC_FEATURES, ROW_FEATURES, WHOLE_FEATURES = 5, 2, 13, 38, 21
"""Sizes of an encoding; its positions are in `learned.positions`."""
PREFERENCE_COST = PRICES
"""The row of `row_price` for costs by a job's own preference."""
(
    SLOTS_USED,
    ROWS_USED,
    SHAPES_USED,
    DEAD_ROWS,
    MIX_USED,
    WAITING,
    RUNNING,
    FREE_ATTEMPT,
    FREE_PART,
    PLACED,
    HELD,
    PROMISED,
    NEXT_PROMISED,
    LINED,
    FIT_PARTS,
    SHOWN,
    INDEXED,
    LINKED,
    BROUGHT,
    BROUGHT_JOBS,
    TABLE_ROWS,
    LINE_FIRST,
    PROJECTS_USED,
) = range(23)
"""Positions in `count`; WAIT is counted among slots and rows."""
(
    MODE,
    RULE,
    OVER,
    SCORED,
    SCORER,
    PREPARED,
    LINED_SLOTS,
    TOTALLED,
    READY,
    MAY_WAIT,
    FORCED,
    CHAINED,
    SHARED,
    LIMITED,
    TURN,
) = range(15)
"""Positions in `state`."""
(
    NOW,
    ORIGIN,
    STARVATION_S,
    TOP_PRICE,
    PRESSURE,
    WEIGHED_PRESSURE,
    QUEUE_DEPTH,
    QUEUE_WORK,
    QUEUE_URGENCY,
    QUEUE_WEIGHT,
    QUEUE_PRESSURE,
    MIDDLE_PREFERENCE,
    BOUNDED_DELAY,
) = range(13)
"""Positions in `figure`."""
GONE, WAITS, TAKEN, ASIDE = range(4)
"""States of a job slot: left; waits; was chosen in this round; waits, but another project has the
turn (`rules.turns`)."""
NO_PROJECT = -1
"""In place of a project: none."""
CLOSED, OPEN, IN_TIME = range(3)
"""What a round says of a shape: no; yes; only rows that end before the reservation starts."""


def _column(group: str, *lead: int) -> Any:
    return field(init=False, metadata={"group": group, "lead": lead, "use": CHANGING})


def _static(group: str, *lead: int) -> Any:
    """Written when an entry is added, and then only read: copies of a world share it."""
    return field(init=False, metadata={"group": group, "lead": lead, "use": STATIC})


def _scratch(group: str, *lead: int) -> Any:
    """Of no meaning in a copy of a world, which holds anything there."""
    return field(init=False, metadata={"group": group, "lead": lead, "use": SCRATCH})


@dataclass(slots=True)
class Columns:
    """All arrays of a world; the last axis of each is its group, which has spare capacity.

    Times are Unix seconds, or seconds from the start of a simulation. Columns marked *round* hold
    for the present round only, *scratch* ones for one call.
    """

    count: Ints = _column(ONE, 24)
    """How many entries of each group are used; see the names of its positions."""
    state: Ints = _column(ONE, 16)
    """Mode, placement rule, and the state of the round."""
    figure: Floats = _column(ONE, 16)
    """Now, and other numbers of the whole world."""

    job_id: Ints = _static(JOBS)
    """Ids as users see them; 0 for WAIT."""
    job_state: Bytes = _column(JOBS)
    """GONE, WAITS, TAKEN or ASIDE."""
    job_project: Ints = _static(JOBS)
    job_first: Ints = _static(JOBS)
    """Its first row; its rows are adjacent."""
    job_count: Ints = _static(JOBS)
    """Number of its rows."""
    job_submitted: Floats = _static(JOBS)
    job_priority: Floats = _static(JOBS)
    job_deadline: Floats = _static(JOBS)
    """inf: none."""
    job_preference: Floats = _static(JOBS)
    """0 cheapest … 1 fastest."""
    job_ideal: Floats = _static(JOBS)
    """Least estimated runtime over its rows (s)."""
    job_slowest: Floats = _static(JOBS)
    """Longest estimated runtime over its rows (s)."""
    job_shortest: Floats = _static(JOBS)
    """Least `row_length` over its rows."""
    job_cheapest: Floats = _static(JOBS)
    """Least estimated dollars over its rows."""
    job_frugal: Floats = _static(JOBS)
    """Least estimated joules over its rows."""
    job_size: Floats = _static(JOBS)
    """r: runtime (s) of the row with the least device-seconds."""
    job_request: Floats = _static(JOBS)
    """n: width of that row."""
    job_signature: Floats = _static(JOBS)
    """Equal for jobs that accept the same placements at the same estimates."""
    job_weight: Floats = _static(JOBS)
    """ln(priority / 50)."""
    job_score: Floats = _scratch(JOBS)
    """Scratch of the scorer: higher goes first."""
    job_terms: Floats2D = _scratch(JOBS, JOB_TERMS)
    """Scratch of the scorer: what it knows of a job; valid for the first `PREPARED` slots."""
    job_link: Ints = _column(JOBS)
    """The next slot of the same chain: jobs that may be alike; 0: none."""
    chain_first: Ints = _column(JOBS)
    """First slots of `CHAINED` chains; 0: none."""
    job_moved: Ints = _scratch(JOBS)
    """The slot's number after `queue.compact`; 0: none."""
    line: Ints = _scratch(JOBS)
    """Waiting slots in the order of a scorer whose scores never change; `LINED` of them."""
    job_order_score: Floats2D = _static(JOBS, LEARNED_ORDERS)
    """Scores by the orders of an encoding: lower goes first; valid if `job_described`, like
    `job_rate`, `job_unit`, and `row_paid` and `row_held` of its rows."""
    job_described: Bytes = _static(JOBS)
    job_rate: Floats = _static(JOBS)
    """What a second costs it: p · v; p: preference, v: priority / 50."""
    job_unit: Floats = _static(JOBS)
    """1 / (ideal + 30 s): turns its seconds into slowdown."""
    job_indexed: Bytes = _scratch(JOBS)
    """Round: whether the index of the table has it."""
    job_rows: Ints = _scratch(JOBS)
    """Round: how many of its rows the index has."""
    job_next: Ints2D = _scratch(JOBS, LEARNED_ORDERS)
    """Round: the next job of the same class by each order; 0: none."""
    job_near: Ints = _scratch(JOBS)
    """Scratch of the encoding: 1 + its best rank; 0: far. All 0 between two choices."""
    brought_job: Ints = _scratch(JOBS)
    """Scratch of the encoding: slots, first all of a table, then the `BROUGHT_JOBS` near ones."""
    class_count: Ints2D = _scratch(JOBS, LEARNED_ORDERS + PRICES)
    """Round: entries of each class by each order and price: see `learned.ranking`."""
    class_first: Ints2D = _scratch(JOBS, LEARNED_ORDERS + PRICES)
    """Round: the first entry of each class, dropped or not; 0: none."""

    row_slot: Ints = _static(ROWS)
    row_shape: Ints = _static(ROWS)
    row_runtime: Floats = _static(ROWS)
    """Estimated seconds."""
    row_dollars: Floats = _static(ROWS)
    row_joules: Floats = _static(ROWS)
    row_length: Floats = _static(ROWS)
    """ln((runtime + 300 s) · share of the pool)."""
    row_listed: Bytes = _scratch(ROWS)
    """Scratch: rows of a table."""
    row_described: Bytes = _static(ROWS)
    """Whether `row_static` is written: it is when the row is first shown."""
    row_static: Floats32x2D = _static(ROWS, STATIC_FEATURES)
    """Columns of an encoding that do not change while the job waits."""
    row_paid: Floats = _static(ROWS)
    """(1 - p) · dollars, as seconds of one device of the most expensive pool; p: preference."""
    row_held: Floats = _static(ROWS)
    """Runtime · share of the pool (s)."""
    table_row: Ints = _scratch(ROWS)
    """Scratch: the rows of a table, ascending, WAIT first."""
    indexed_row: Ints = _scratch(ROWS)
    """Round: `table_row` as it was indexed last, `INDEXED` entries; 0: there is no index."""
    row_indexed: Bytes = _scratch(ROWS)
    """Round: whether the index of the table has it."""
    row_next: Ints2D = _scratch(ROWS, PRICES)
    """Round: the next row of the same class by each price; 0: none."""
    row_price: Floats2D = _scratch(ROWS, PRICES + 1)
    """Round: prices of indexed rows in seconds and in slowdown. Scratch: the cost by the job's
    preference."""
    row_near: Ints = _scratch(ROWS)
    """Scratch of the encoding: how near a row is; 0: far. All 0 between two choices."""
    brought_row: Ints = _scratch(ROWS)
    """Scratch of the encoding: rows that are near, `BROUGHT` of them."""

    shape_pool: Ints = _column(SHAPES)
    """-1 for WAIT."""
    shape_width: Ints = _column(SHAPES)
    shape_memory: Ints = _column(SHAPES)
    """Bytes for the whole attempt."""
    shape_possible: Bytes = _column(SHAPES)
    """Whether the empty pool could hold it."""
    shape_users: Ints = _column(SHAPES)
    """Rows of waiting jobs that have it."""
    shape_fits: Bytes = _column(SHAPES)
    """Whether it fits now; valid while `pool_fits_seen` is the pool's version."""
    shape_start: Floats = _column(SHAPES)
    """When it could have its devices: -inf now, inf never; valid while `pool_starts_seen` is."""
    shape_boot: Floats = _column(SHAPES)
    """Seconds of boot there; as `shape_start`."""
    shape_rule: Bytes = _column(SHAPES)
    """Round: CLOSED, OPEN or IN_TIME."""
    shape_begin: Floats = _column(SHAPES)
    """Round: when a row that must end in time would begin."""
    shape_latest: Floats = _column(SHAPES)
    """Round: when it must have ended."""
    shape_delay: Floats = _scratch(SHAPES)
    """Scratch of the encoding: seconds until it could run, boot included; finite."""
    shape_priced: Floats = _scratch(SHAPES)
    """Round: `shape_delay` when its rows were priced."""
    shape_repriced: Bytes = _scratch(SHAPES)
    """Scratch of the encoding: whether its rows have other prices now."""
    shape_seen: Floats2D = _scratch(SHAPES, 6)
    """Scratch of the scorer: what it has seen of the shape."""

    pool_nodes: Ints = _column(POOLS)
    pool_per_node: Ints = _column(POOLS)
    """Devices."""
    pool_memory: Ints = _column(POOLS)
    """Bytes of a node; 0: not limited."""
    pool_count: Ints = _column(POOLS)
    """Devices of all nodes."""
    pool_first_node: Ints = _column(POOLS)
    pool_first_bucket: Ints = _column(POOLS)
    pool_first_release: Ints = _column(POOLS)
    pool_boot: Floats = _column(POOLS)
    """Seconds."""
    pool_price: Floats = _column(POOLS)
    """Dollars per device-hour."""
    pool_watts: Floats = _column(POOLS)
    pool_charge: Floats = _column(POOLS)
    """What a second of one of its devices counts as usage: see `state.usage.charges`."""
    pool_cold: Ints = _column(POOLS)
    """Nodes that have to boot."""
    pool_part: Floats = _scratch(POOLS)
    """Scratch of the scorer: its part of what the cluster can do for the jobs that wait."""
    pool_version: Ints = _column(POOLS)
    """Rises with every start, end and change of an end or a node."""
    pool_fits_seen: Ints = _column(POOLS)
    pool_starts_seen: Ints = _column(POOLS)
    pool_rules_seen: Ints = _column(POOLS)
    """The version for which `shape_rule` holds, or a code of `rules.allowed`; -1: it does not."""
    pool_rules_now: Floats = _column(POOLS)
    """The time for which it holds; -inf: for any, while the pool is not reserved."""
    pool_releases: Ints = _column(POOLS)
    """Entries of its releases; the first `pool_sorted` are in order, and some may be void."""
    pool_sorted: Ints = _column(POOLS)
    pool_held: Ints = _column(POOLS)
    """Round: the row that the pool is reserved for; 0: none."""
    pool_until: Floats = _column(POOLS)
    """Round: when that reservation starts; NaN: not computed yet, see `choices.reserved_start`."""
    pool_beside: Bytes = _column(POOLS)
    """Round: whether the plane BESIDE is up to date."""
    held_pool: Ints = _column(POOLS)
    """Round: reserved pools, in the order of their reservations."""
    promised_row: Ints = _column(POOLS)
    """Round: rows of reservations that a sticky mode keeps; 0: the job is gone."""
    promised_start: Floats = _column(POOLS)

    pool_ahead: Floats2D = _scratch(POOLS, 4)
    """Round: share free now, in 10 minutes, an hour, four; valid while `pool_ahead_seen` is."""
    pool_ahead_seen: Ints = _scratch(POOLS)

    plane_free: Ints2D = _column(POOLS, PLANES)
    """Free devices."""
    node_devices: Ints2D = _column(NODES, PLANES)
    """Free devices."""
    node_memory: Ints2D = _column(NODES, PLANES)
    """Free bytes."""
    node_cold: Bytes2D = _column(NODES, PLANES)
    """Whether a start there waits for a boot."""
    node_next: Ints2D = _column(NODES, PLANES)
    """The next node of the same bucket; -1: none."""
    node_before: Ints2D = _column(NODES, PLANES)
    bucket_first: Ints2D = _column(BUCKETS, PLANES)
    """Nodes by free devices; empty ones that are cold have a bucket of their own at the end."""
    bucket_last: Ints2D = _column(BUCKETS, PLANES)
    fit_node: Ints = _column(NODES)
    """Scratch: the nodes that `nodes.fit` found, within their pool; `FIT_PARTS` of them."""
    fit_devices: Ints = _column(NODES)

    attempt_job: Ints = _column(DEVICES)
    """Job id; negative for a node under repair; 0: the entry is free."""
    attempt_pool: Ints = _column(DEVICES)
    attempt_width: Ints = _column(DEVICES)
    attempt_memory: Ints = _column(DEVICES)
    attempt_end: Floats = _column(DEVICES)
    """Estimated."""
    attempt_project: Ints = _column(DEVICES)
    """NO_PROJECT if nobody is charged for it."""
    attempt_part: Ints = _column(DEVICES)
    """Its first part."""
    attempt_parts: Ints = _column(DEVICES)
    attempt_stamp: Ints = _column(DEVICES)
    """Rises with every change; a release with another stamp is void."""
    attempt_next: Ints = _column(DEVICES)
    """The next free entry; -1: none."""
    part_node: Ints = _column(DEVICES)
    """Within its pool."""
    part_devices: Ints = _column(DEVICES)
    part_next: Ints = _column(DEVICES)
    """The attempt's next part, or the next free entry; -1: none."""
    release_attempt: Ints2D = _column(RELEASES, 2)
    """By pool: attempts by estimated end, then by job; row 1 is scratch."""
    release_stamp: Ints2D = _column(RELEASES, 2)

    placed_row: Ints = _column(DEVICES)
    """Round: rows that were started, in order; `PLACED` of them."""
    placed_attempt: Ints = _column(DEVICES)
    placed_action: Ints = _column(DEVICES)

    project_share: Floats = _column(PROJECTS)
    """Above 0; only ratios count."""
    project_used: Floats = _column(PROJECTS)
    """Decayed usage until now, and what its attempts will use soon: see `rules.turns`."""
    project_started: Floats = _column(PROJECTS)
    """When a job of it last started; -inf: never."""
    project_passed: Bytes = _column(PROJECTS)
    """Round: whether the policy chose to wait when it had the turn."""
    project_able: Bytes = _scratch(PROJECTS)
    """Scratch: whether one of its jobs has a row that may be chosen."""
    project_most: Ints = _column(PROJECTS)
    """Devices that it may hold at once."""
    project_devices: Ints = _column(PROJECTS)
    """Round: devices that it holds."""
    project_dollars: Floats = _column(PROJECTS)
    """Dollars that it may still begin to spend; inf: not limited."""

    mix_pool: Ints = _column(MIX)
    """The parts that jobs have asked nodes for, by pool: for `RULE` FGD."""
    mix_devices: Ints = _column(MIX)
    mix_memory: Ints = _column(MIX)
    mix_weight: Floats = _column(MIX)
    mix_total: Floats = _column(POOLS)

    shown: Ints = _scratch(SHOWN_ROWS)
    """Positions in the table of the rows that an encoding shows, WAIT first; `SHOWN` of them."""
    shown_row: Ints = _scratch(SHOWN_ROWS)
    """Scratch: the row of each; entry 0 is WAIT."""
    shown_job: Ints = _scratch(SHOWN_ROWS)
    """Scratch: the jobs of the shown rows, each once; entry 0 is WAIT."""
    shown_order: Ints = _scratch(SHOWN_ROWS)
    """Scratch: shown rows or jobs in the order of a score."""
    shown_rank: Ints2D = _scratch(SHOWN_ROWS, LEARNED_ORDERS + PRICES)
    """Jobs of the table before each shown job by each order, then rows before each shown row by
    each price."""
    shown_after: Ints = _scratch(SHOWN_ROWS)
    """Scratch: how many come directly before each of an order."""
    shown_score: Floats32 = _scratch(SHOWN_ROWS)
    """Scores by a network."""
    nearest: Ints = _scratch(SHOWN_ROWS)
    """Scratch: rows or jobs at the front of an order."""
    near_count: Ints = _scratch(SHOWN_ROWS)
    """Scratch: rows by how near they are."""
    seen: Floats32x2D = _scratch(SHOWN_ROWS, ROW_FEATURES)
    """The encoding of the shown rows."""
    seen_whole: Floats32 = _scratch(ONE, WHOLE_FEATURES)
    """The encoding of the whole table."""
    class_below: Floats = _scratch(ONE, LEARNED_ORDERS + PRICES)
    """Round: what is subtracted from values of each order and price before classing."""
    class_scale: Ints2D = _scratch(ONE, LEARNED_ORDERS + PRICES, 3)
    """Round: the first class, the digits left out and the last class."""
    least: Floats = _scratch(ONE, 3)
    """Scratch: a job's least prices and soonest end (s from now) on any placement."""
