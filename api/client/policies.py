"""Calls about policies: which one decides, which are registered, and preferences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from api.client import files
from api.client.transport import Transport, url_part, without_none

if TYPE_CHECKING:
    from api.schemas import (
        PoliciesOut,
        PolicyOut,
        PolicySummary,
        PreferencesOut,
        RegisteredPolicyOut,
        ScenarioOut,
    )


class PolicyCalls:
    """The part of `Client` that is about policies."""

    _transport: Transport

    def policies(self) -> PoliciesOut:
        """All policies by name, and the active one."""
        from api.schemas import PoliciesOut

        return PoliciesOut.model_validate(self._transport.get("/v1/policies"))

    def policy(self) -> PolicyOut:
        """Who decides, how often the guard had to, and how well it fits this cluster."""
        from api.schemas import PolicyOut

        return PolicyOut.model_validate(self._transport.get("/v1/policies/active"))

    def fit_policy(self, name: str | None = None) -> PolicyOut:
        """Begin to replay jobs with a policy and wgc; the better will decide.

        Raises `NotFoundError`, `InvalidError`, `ConflictError`.
        """
        from api.schemas import PolicyOut

        body = without_none({"name": name and self._registered(name)})
        return PolicyOut.model_validate(self._transport.json("POST", "/v1/policies/fit", json=body))

    def shadow_policy(self, name: str | None) -> PolicyOut:
        """Let a candidate see every decision and change none; None: no longer any.

        Raises `NotFoundError`, `InvalidError`.
        """
        from api.schemas import PolicyOut

        if name is None:
            method, body = "DELETE", None
        else:
            method, body = "PUT", {"name": self._registered(name)}
        return PolicyOut.model_validate(
            self._transport.json(method, "/v1/policies/shadow", json=body)
        )

    def score_shadow(self) -> PolicyOut:
        """Begin to replay the jobs since the shadow began with it and with the active policy.

        Raises `NotFoundError`, `ConflictError`.
        """
        from api.schemas import PolicyOut

        return PolicyOut.model_validate(self._transport.json("POST", "/v1/policies/shadow/score"))

    def use_policy(
        self, name: str, *, mode: str | None = None, preference: float | str | None = None
    ) -> PolicyOut:
        """Let another policy decide from now on. Raises `NotFoundError`, `InvalidError`.

        `wgc:./ours.toml` registers that file of this machine first, as `wgc:ours`.
        """
        from api.schemas import PolicyOut

        body = {"name": self._registered(name), "mode": mode, "preference": preference}
        return PolicyOut.model_validate(
            self._transport.json("PUT", "/v1/policies/active", json=without_none(body))
        )

    def add_schedule(self, name: str, text: str) -> PolicySummary:
        """Register a schedule of wgc, the text of its file; it is `wgc:NAME` then.

        Raises `InvalidError`, `UnauthorizedError`.
        """
        from api.schemas import PolicySummary

        path = f"/v1/policies/schedules/{url_part(name)}"
        return PolicySummary.model_validate(self._transport.json("PUT", path, json={"text": text}))

    def registered_policy(self, name: str) -> RegisteredPolicyOut:
        """A learned policy, `NAME` or `NAME@DIGEST`: how it was made, and what happened to it.

        Raises `NotFoundError`.
        """
        from api.schemas import RegisteredPolicyOut

        return RegisteredPolicyOut.model_validate(self._transport.get(policy_path(name)))

    def import_policy(self, file: str | Path, name: str | None = None) -> PolicySummary:
        """Register a policy of this machine: an exported file, or a schedule of wgc (`.toml`).

        `name`: default, that of the file. Raises `InvalidError`, `ConflictError` (the name of a
        shipped policy), `UnauthorizedError`, `FileError`.
        """
        from api.schemas import PolicySummary

        path = Path(file).expanduser()
        called = name or path.name.partition(".")[0].casefold()
        content = _content(path)
        if path.suffix == ".toml":
            return self.add_schedule(called, content.decode("utf-8", "replace"))
        answer = self._transport.json("PUT", f"{policy_path(called)}/file", content=content)
        return PolicySummary.model_validate(answer)

    def export_policy(self, name: str, to: str | Path | None = None) -> Path:
        """Fetch a registered policy as one file to `to` (a file, or a folder); where it lies.

        Default: `NAME.onnx` in the working directory. Raises `NotFoundError`.
        """
        target = Path(to) if to is not None else files.here()
        if target.is_dir():
            target = target / f"{name.removeprefix('learned:').partition('@')[0]}.onnx"
        return self._transport.download(f"{policy_path(name)}/file", target)

    def scenarios(self) -> tuple[ScenarioOut, ...]:
        """The scenarios that come with Fulcrum."""
        from api.schemas import ScenariosOut

        return ScenariosOut.model_validate(self._transport.get("/v1/scenarios")).scenarios

    def preferences(self) -> PreferencesOut:
        """How much speed is worth to jobs that do not say, on the cluster and in projects."""
        from api.schemas import PreferencesOut

        return PreferencesOut.model_validate(self._transport.get("/v1/preferences"))

    def prefer(
        self,
        cluster: float | str | None = None,
        *,
        projects: Mapping[str, float | str | None] | None = None,
    ) -> PreferencesOut:
        """Change preferences (0 cheapest … 1 fastest, or a name); what is not named stays.

        A project's None is the cluster's from now on. Jobs that wait follow; who decides stays, as
        does whether a fit may change that. Raises `InvalidError`.
        """
        from api.schemas import PreferencesOut

        body = {**without_none({"cluster": cluster}), "projects": dict(projects or {})}
        return PreferencesOut.model_validate(
            self._transport.json("PUT", "/v1/preferences", json=body)
        )

    def _registered(self, policy: str) -> str:
        """The name of a policy that may be a file here, which is registered then."""
        scheme, _, rest = policy.partition(":")
        if scheme != "wgc" or not rest.endswith(".toml"):
            return policy
        return self.import_policy(rest).name


def policy_path(name: str) -> str:
    """The path of a registered policy."""
    return f"/v1/policies/{url_part(name.removeprefix('learned:'))}"


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise files.FileError(f"{file} cannot be read: {error.strerror}", "name") from None
