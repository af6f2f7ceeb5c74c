"""Calls about secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.client.transport import Transport, url_part

if TYPE_CHECKING:
    from api.schemas import SecretOut


class SecretCalls:
    """The part of `Client` that is about secrets of projects; their values are never told."""

    _transport: Transport

    def secrets(self, project: str | None = None) -> tuple[SecretOut, ...]:
        """The secrets of one project or of all, without their values."""
        from api.schemas import SecretsOut

        return SecretsOut.model_validate(
            self._transport.get("/v1/secrets", project=project)
        ).secrets

    def set_secret(self, name: str, value: str, *, project: str = "default") -> SecretOut:
        """Keep a secret, in place of an earlier one. Raises `InvalidError`."""
        from api.schemas import SecretOut

        return SecretOut.model_validate(
            self._transport.json("PUT", _path(project, name), json={"value": value}, safe=True)
        )

    def remove_secret(self, name: str, *, project: str = "default") -> None:
        """Forget a secret. Raises `NotFoundError`."""
        self._transport.json("DELETE", _path(project, name))


def _path(project: str, name: str) -> str:
    return f"/v1/secrets/{url_part(project, 'project')}/{url_part(name)}"
