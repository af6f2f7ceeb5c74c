"""The columns of a simulation: what a workload says, and what has become of it so far."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.compilation.columns import Bytes, Bytes2D, Floats, Floats2D, Ints

(
    EVENTS,
    SEQUENCE,
    ARRIVED,
    ARRIVING,
    ENDED,
    DUE,
    ATTEMPTS,
    LIVES,
    HELD_ATTEMPTS,
    HELD_PARTS,
    COMMITTED,
    DRAWING,
    PRESENT,
    MISSES,
    ROUNDS,
    CHOICES,
    DECIDING,
    QUIET,
    VIEWED,
    VERSION,
    COUNTED_ENDED,
) = range(21)
"""Positions in `count`: events in the heap, events ever pushed, jobs that have arrived, whether an
arrival is under way, jobs that have ended, whether something may be decided, the most attempts of a
job and lives of a node, ended attempts and their parts, reservations that the next round must keep,
what the meter has counted, rounds, choices, whether a learner's round
is under way; of the last round, whether one pool is reserved, the slots that it knew, and the
pool's version (see `shortcuts`); counted jobs that have ended."""
(
    TIME,
    METERED,
    JOB_SECONDS,
    WEIGHED_SECONDS,
    SLOWDOWN,
    DOLLARS,
    JOULES,
    WEIGHT,
    IMPATIENCE,
    PRICE,
    POWER,
    TO_COME_DOLLARS,
    TO_COME_WEIGHED_SECONDS,
    TO_COME_SLOWDOWN,
    IDLE_PRICE,
    IDLE_POWER,
    USEFUL,
) = range(17)
"""Positions in `figure`: now, the meter's time, totals and rates, what is to come of what runs, the
rates of idle devices, and device-seconds of work that was kept in the time that counts."""
ESTIMATOR, RETRIES, METERS, EVERY_EVENT, RECORDS, NODE_DEVICES, COUNTED, BEYOND = range(8)
"""Positions in `setting`. NODE_DEVICES: the most devices of a node. COUNTED, BEYOND: the first job
that counts, and the first one after those."""
PER_ATTEMPT, CHECKPOINT_S, REPAIR_S, COUNTED_START, COUNTED_END = range(5)
"""Positions in `number`; the last two: the time that counts."""
BUSY, UP, AMORTISED = range(3)
"""Values of `pool_billing`."""
NEVER = -1
TINY_S = 1e-9
"""Estimates are at least this long where something is divided by them."""


@dataclass(slots=True)
class WorkloadColumns:
    """A workload on a cluster. Nothing here changes, so many episodes share one.

    Groups: jobs in order of arrival, their rows (placements), pools, and the nodes of all pools.
    """

    setting: Ints
    number: Floats

    job_id: Ints
    """Ascending."""
    job_submitted: Floats
    job_priority: Floats
    job_deadline: Floats
    """inf: none."""
    job_preference: Floats
    job_ideal: Floats
    """Least true runtime over the job's runs, possible here or not (s)."""
    job_first: Ints
    """Its first row."""
    job_count: Ints
    job_restart: Floats
    """Seconds that each further attempt loses."""
    job_requested: Floats
    """The user's limit (s); inf: none."""
    job_user: Ints
    job_kind: Ints
    job_length: Floats
    """ln of the least true runtime: what the history of its kind remembers."""
    job_group: Ints
    """(jobs · LEVELS) Groups of each, for `scheduler.estimates.learned`; empty if not needed."""
    job_ask: Ints
    """Its first entry of `ask_part`; the entries end where those of the next job begin."""

    row_shape: Ints
    """In a world whose shapes were added in the order of `Trace.shapes`."""
    row_pool: Ints
    row_width: Ints
    row_memory: Ints
    row_runtime: Floats
    """True seconds."""
    row_estimate: Floats
    """Estimated seconds of a whole run, before anything is learned."""

    ask_part: Ints
    """Parts that a job asks nodes for, and how often: the mix of the placement rule."""
    ask_weight: Floats

    pool_changes: Bytes
    """Whether nodes come and go, or fail."""
    pool_elastic: Bytes
    pool_min_nodes: Ints
    pool_idle_s: Floats
    pool_billing: Ints
    pool_idle_watts: Floats
    """Of one device."""

    failure_share: Floats2D
    """(attempts, jobs) share of the run after which the attempt fails; NaN: it does not."""
    life_s: Floats2D
    """(lives, nodes) seconds from the end of the boot until the node is gone; inf: never."""
    life_breaks: Bytes2D
    """(lives, nodes) whether it breaks down then; else it is revoked."""


@dataclass(slots=True)
class EpisodeColumns:
    """One simulation, beside the world in which decisions are made."""

    count: Ints
    figure: Floats

    event_time: Floats
    """A heap, soonest first."""
    event_order: Ints
    """Among simultaneous events the least goes first."""
    event_kind: Ints
    event_subject: Ints
    """A job, or a node among those of all pools."""
    event_stamp: Ints
    """The attempt, life or change for which the event was pushed; void after that."""

    job_started: Floats
    """First start; NaN: never."""
    job_ended: Floats
    job_row: Ints
    """Row of its last placement; NEVER: none."""
    job_entry: Ints
    """Its running attempt in the world; NEVER: it does not run."""
    job_action: Ints
    """How its last attempt was chosen, as `kernel.choices` says."""
    job_attempts: Ints
    job_failures: Ints
    job_failed: Bytes
    job_drawing: Bytes
    """Whether the meter counts its attempt."""
    job_wasted: Floats
    job_done: Floats
    """True share of the work that is kept, or was done before the simulation."""
    job_known: Floats
    """Estimated share of it; may exceed 1."""
    job_placed: Floats
    job_ready: Floats
    job_begun: Floats
    job_dollars: Floats
    job_joules: Floats

    row_estimate: Floats
    """Estimated seconds of a whole run, as of the job's arrival."""
    user_last: Floats2D
    """(2, users) the last two runtimes of each user."""
    user_ended: Ints
    kind_last: Floats2D
    """(memory, kinds) the last lengths of each kind, oldest first."""
    kind_ended: Ints
    past_value: Floats
    """See `scheduler.estimates.learned.mixture`, as of the next two; empty if not needed."""
    past_born: Ints
    group_ended: Ints

    node_on: Bytes
    """Whether it boots or is up."""
    node_since: Floats
    node_ready: Floats
    node_life: Ints
    """How often it was switched on."""
    node_changes: Ints
    """Attempts that have come or gone."""
    node_repair: Ints
    """The world's attempt that stands for its repair."""
    pool_on: Ints
    """Nodes that boot or are up."""
    pool_node_seconds: Floats
    """Of nodes that were switched off."""
    pool_used: Floats
    """Device-seconds of ended attempts."""

    committed_job: Ints
    """Reservations of the last round, if its mode keeps promises: ids."""
    committed_slot: Ints
    committed_row: Ints
    """Which of the job's rows."""
    committed_start: Floats

    held_job: Ints
    """Ended attempts, in order of their ends."""
    held_row: Ints
    held_action: Ints
    held_start: Floats
    held_end: Floats
    held_part: Ints
    """First of its parts; they end where those of the next one begin."""
    part_node: Ints
    part_devices: Ints

    enter_numbers: Floats
    """Scratch of `arrivals.enqueue`."""
    enter_figures: Floats2D
