"""The Python SDK: `from fulcrum import Client`.

It speaks HTTP only and needs neither torch nor the service's packages. `python -m fulcrum` is the
command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.client import *  # noqa: F403 - each of its public names is one of this package

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """The public names of `api.client`, imported when the first is used; the version."""
        if name == "__version__":
            from importlib.metadata import version

            return version("fulcrum-scheduler")
        if not name.startswith("__"):
            from fulcrum.packages import check

            check()
            import api.client

            if name in api.client.__all__:
                return getattr(api.client, name)
        raise AttributeError(f"module 'fulcrum' has no attribute {name!r}")

    def __dir__() -> list[str]:
        import api.client

        return sorted({*globals(), *api.client.__all__, "__version__"})
