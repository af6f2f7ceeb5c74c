"""The Python SDK: `from fulcrum import Client`; and `report` and others for programs in jobs.

It speaks HTTP only and needs neither torch nor the service's packages. `python -m fulcrum` is the
command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.client import *  # noqa: F403 - each of its public names is one of this package
    from fulcrum.job_process import artifact as artifact
    from fulcrum.job_process import checkpoint as checkpoint
    from fulcrum.job_process import report as report
    from fulcrum.job_process import save_checkpoint as save_checkpoint
    from fulcrum.job_process import stop_requested as stop_requested

    __version__: str
else:
    IN_JOBS = ("artifact", "checkpoint", "report", "save_checkpoint", "stop_requested")

    def __getattr__(name: str) -> Any:
        """The public names of this package, imported when the first is used; the version."""
        if name == "__version__":
            from importlib.metadata import version

            return version("fulcrum-scheduler")
        if name in IN_JOBS:
            import fulcrum.job_process

            return getattr(fulcrum.job_process, name)
        if not name.startswith("__"):
            from fulcrum.packages import check

            check()
            import api.client

            if name in api.client.__all__:
                return getattr(api.client, name)
        raise AttributeError(f"module 'fulcrum' has no attribute {name!r}")

    def __dir__() -> list[str]:
        import api.client

        return sorted({*globals(), *IN_JOBS, *api.client.__all__, "__version__"})
