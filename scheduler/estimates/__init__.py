"""Runtime, dollars and joules of a job on a device: from history, else from the model's size.

`Estimator` answers for one job on one pool at one width; `options` lists all placements of a job;
`errors` holds finished attempts' estimates against the truth.
"""

from scheduler.estimates.accuracy import ErrorRow, errors, kind, source
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.options import PoolEstimate, options, widths

__all__ = [
    "ErrorRow",
    "Estimator",
    "PoolEstimate",
    "errors",
    "kind",
    "options",
    "source",
    "widths",
]
