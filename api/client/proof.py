"""How a service proves that it knows its data folder's token, before a client sends the token.

Another program that listens on the port of a service that has ended could collect the token. So a
client that found the token by itself first sends random bytes. Only a program that knows the token,
or its SHA-256, can answer them. The answer holds for one port, so no other service can give it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

PATH = "/v1/proof"


def nonce() -> str:
    """Random text to be answered once."""
    return secrets.token_hex(32)


def digest(token: str) -> str:
    """What a service keeps of a token: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def proof(token_digest: str, challenge: str, port: int) -> str:
    """The answer to `challenge` of a service on `port` that knows the token's digest."""
    message = f"fulcrum proof {port} {challenge}".encode()
    return hmac.new(bytes.fromhex(token_digest), message, hashlib.sha256).hexdigest()
