"""A person's visit to the page with a browser."""

from __future__ import annotations

import re
import shutil
from typing import Any

from tests.support.waiting import PATIENCE_S

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
EVIL = "<script>window.planted=1</script><img src=x onerror='window.planted=1'>"
PHONE = {"width": 390, "height": 800}
DESK = {"width": 1280, "height": 900}


class Visit:
    """A page of a browser, and all that its console said."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self._own(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.said.append(text)

    def _own(self, address: str) -> None:
        if not address.startswith((self.url, "blob:", "data:")):
            self.said.append(f"asked another origin: {address}")

    def sign_in(self, token: str) -> None:
        self.page.goto(self.url)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation").wait_for()

    def see(self, place: str, heading: str) -> None:
        self.page.goto(f"{self.url}/#/{place}")
        self.page.get_by_role("heading", name=re.compile(heading), level=1).wait_for()

    def text(self, text: str) -> Any:
        return self.page.get_by_text(text).first
