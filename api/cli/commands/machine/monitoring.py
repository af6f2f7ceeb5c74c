"""monitoring: the files for Prometheus and Grafana that the package ships."""

from __future__ import annotations

from importlib.resources import files

from api.cli.support.global_options import Json
from api.cli.support.output import print_json


def dashboard(as_json: Json = True) -> None:  # noqa: ARG001 - a dashboard is JSON in any case
    """Print a dashboard of the service's metrics, as JSON for Grafana.

    Example: fulcrum monitoring dashboard > fulcrum-dashboard.json
    """
    print(_shipped("grafana.json"), end="")


def alerts(as_json: Json = False) -> None:
    """Print alert rules for the service's metrics, as YAML for Prometheus.

    Example: fulcrum monitoring alerts > fulcrum-alerts.yml
    """
    if as_json:
        import yaml

        print_json(yaml.safe_load(_shipped("alerts.yml")))
    else:
        print(_shipped("alerts.yml"), end="")


def _shipped(name: str) -> str:
    return files("api.http.metrics").joinpath(name).read_text(encoding="utf-8")
