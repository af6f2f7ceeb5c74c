"""The page's files: whole, offline, and with headers that let a browser run nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from api.http.asgi.security_headers import DATA_POLICY, PAGE_POLICY
from api.http.web.assets import INDEX, assets
from tests.api.conftest import World
from tests.web.conftest import signed_in

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "api" / "http" / "web" / "assets"
IMPORT = re.compile(r"""(?:from\s*|import\s*\(?\s*)["']([^"']+)["']""")
NAMESPACES = re.compile(r"http://www\.w3\.org/(?:2000/svg|1999/xhtml|1998/Math/MathML)")
LICENCE_LINE = re.compile(r"^/\*! https://github\.com/leeoniya/uPlot .*\*/$", re.MULTILINE)


def test_the_address_shows_the_page_without_a_token(world: World) -> None:
    stranger = world.with_token(None)
    page = stranger.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert stranger.get(name).status_code == 200, name


def test_every_file_is_served_and_asked_again_only_if_it_changed(world: World) -> None:
    stranger = world.with_token(None)
    for name, asset in assets().items():
        answer = stranger.get(f"/assets/{name}")
        assert answer.content == asset.content
        assert answer.headers["content-type"] == asset.media_type
        again = stranger.get(f"/assets/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert not again.content


@pytest.mark.parametrize(
    "name", ["%2e%2e/assets.py", "..%2fassets.py", "/etc/passwd", "", "vendor"]
)
def test_no_other_file_is_served(world: World, name: str) -> None:
    assert world.with_token(None).get(f"/assets/{name}").status_code == 404


def test_no_file_names_another_origin() -> None:
    for name, asset in assets().items():
        if "LICENSE" in name:
            continue
        text = LICENCE_LINE.sub("", NAMESPACES.sub("", asset.content.decode()))
        assert not re.search(r"(?:https?|wss?):\s*//|[\"'(]//\w", text), name
        assert "sourceMappingURL" not in text, name


def test_every_import_is_a_file_of_the_page() -> None:
    found = assets()
    for name, asset in found.items():
        if not name.endswith((".js", ".mjs")):
            continue
        for wanted in IMPORT.findall(asset.content.decode()):
            assert wanted.startswith("./"), (name, wanted)
            target = (FOLDER / name).parent / wanted
            assert target.resolve().relative_to(FOLDER).as_posix() in found, (name, wanted)


def test_the_page_needs_no_inline_code() -> None:
    page = assets()[INDEX].content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=|javascript:", page)
    own = {name: one for name, one in assets().items() if "vendor" not in name}
    for name, asset in own.items():
        text = asset.content.decode()
        # `eval` and markup from text would be ways around the policy and around escaping.
        assert not re.search(
            r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacent|document\.write", text
        ), name
        assert not re.search(r"dangerouslySet|localStorage|sessionStorage|document\.cookie", text)


def test_all_answers_have_strict_headers(world: World) -> None:
    number = world.submit()
    world.artifact(number, "page.html", b"<script>alert(1)</script>")
    client = signed_in(world)
    paths = [
        "/", "/assets/app.js", "/v1/jobs", "/v1/session", "/healthz", "/nowhere", "/metrics",
        f"/v1/jobs/{number}/logs", f"/v1/jobs/{number}/artifacts/page.html", "/v1/jobs/0",
    ]  # fmt: skip
    for path in paths:
        headers = client.get(path).headers
        page = path == "/" or path.startswith("/assets/")
        assert headers["content-security-policy"] == (PAGE_POLICY if page else DATA_POLICY), path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["referrer-policy"] == "no-referrer", path
    file = client.get(f"/v1/jobs/{number}/artifacts/page.html")
    assert file.headers["content-disposition"].startswith("attachment")
    assert client.get("/v1/jobs").headers["cache-control"] == "no-store"
    for policy in (PAGE_POLICY, DATA_POLICY):
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_the_package_ships_every_file() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = data["package-data"]["*"]
    package = FOLDER.parent
    for path in FOLDER.rglob("*"):
        if path.is_file():
            relative = path.relative_to(package)
            assert any(relative.match(pattern) for pattern in patterns), relative
    for library in ("preact", "htm", "uplot"):
        assert (FOLDER / "vendor" / f"LICENSE.{library}.txt").read_text().strip()
