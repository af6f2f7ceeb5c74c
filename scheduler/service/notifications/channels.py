"""The two ways of a message: a signed webhook, and mail."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from scheduler.domain.errors import InputError
from scheduler.domain.notifications import Notify, is_webhook, without_path

TIMEOUT_S = 10.0
"""For the answer of a webhook or a mail server."""
SIGNATURE = "Fulcrum-Signature"
"""`t=TIME,v1=HEX`: HMAC-SHA256 of `TIME.BODY` with the secret; TIME in Unix seconds."""


class DeliveryError(Exception):
    """A message did not arrive; it may be sent again."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """How mail leaves."""

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Channels:
    """Where messages may go, and what they need."""

    webhooks: tuple[str, ...] = ()
    """Beginnings of addresses that are allowed."""
    secret: str = ""
    """Signs what goes to webhooks."""
    mail: MailServer | None = None
    mail_domains: tuple[str, ...] = ()
    """Domains whose people may get mail."""
    everybody: Notify = field(default_factory=Notify)
    """Who hears of all jobs."""

    @property
    def any(self) -> bool:
        """Whether messages can go anywhere."""
        return bool(self.webhooks or (self.mail and self.mail_domains))

    def check(self, notify: Notify, field: str) -> None:
        """Raise `InputError` naming `field` for an address that the settings do not allow."""
        for address in notify.to:
            if not self._allowed(address):
                legal = self._legal()
                raise InputError(
                    f"{field}: notifications may not go to {without_path(address)}",
                    {field: f"legal: {legal}"},
                )

    def send(self, address: str, message: Mapping[str, Any]) -> None:
        """Send a message. Raises `DeliveryError`, also if the address is no longer allowed."""
        if not self._allowed(address):
            raise DeliveryError("the settings do not allow this address any more")
        if is_webhook(address):
            self._post(address, message)
        else:
            self._mail(address, message)

    def _allowed(self, address: str) -> bool:
        if is_webhook(address):
            return any(_below(address, one) for one in self.webhooks)
        domain = address.rpartition("@")[2].casefold()
        return self.mail is not None and domain in map(str.casefold, self.mail_domains)

    def _legal(self) -> str:
        found = [without_path(one) for one in self.webhooks]
        found += [f"…@{one}" for one in self.mail_domains if self.mail is not None]
        return ", ".join(found) or "none; the settings of the service have no [notifications]"

    def _post(self, address: str, message: Mapping[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Fulcrum-Delivery": str(message["id"]),
            SIGNATURE: signature(self.secret, body, int(time.time())),
        }
        try:
            # A redirect could lead to an address that the settings do not allow.
            answer = httpx.post(
                address, content=body, headers=headers, timeout=TIMEOUT_S, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from None
        if not answer.is_success:
            raise DeliveryError(f"the answer is {answer.status_code}")

    def _mail(self, address: str, message: Mapping[str, Any]) -> None:
        server = self.mail
        assert server is not None
        mail = EmailMessage()
        mail["From"], mail["To"] = server.sender, address
        mail["Subject"] = " ".join(f"[Fulcrum] {message['text']}".split())[:200]
        mail["Message-ID"] = f"<{message['id']}@fulcrum.invalid>"
        mail.set_content("\n".join(f"{name}: {value}" for name, value in _lines(message)))
        try:
            with _connected(server) as connection:
                connection.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{type(error).__name__}: {error}") from None


def signature(secret: str, body: bytes, at: int) -> str:
    """The value of the header `SIGNATURE` for a body that is sent `at` (Unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={digest.hexdigest()}"


def _below(address: str, allowed: str) -> bool:
    """Whether an address is `allowed` or below it: scheme, host and port alike, a longer path."""
    with suppress(ValueError):
        given, base = urlsplit(address), urlsplit(allowed)
        if (given.scheme, given.hostname, given.port) != (base.scheme, base.hostname, base.port):
            return False
        inside = "@" not in given.netloc and ".." not in given.path.split("/")
        folder = base.path.rstrip("/") + "/"
        return inside and (given.path == base.path or given.path.startswith(folder))
    return False


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    connection: smtplib.SMTP
    if server.security == "tls":
        connection = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        if server.security == "starttls":
            connection.starttls(context=context)
    if server.user:
        connection.login(server.user, server.password)
    return connection


def _lines(message: Mapping[str, Any]) -> list[tuple[str, Any]]:
    job = [(name, value) for name, value in message["job"].items() if value not in (None, "")]
    return [("what", message["text"]), ("time", message["time"]), *job]
