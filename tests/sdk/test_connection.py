from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from api.client.connection import find


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "address").write_text("http://127.0.0.1:9999\n")
    (tmp_path / "token").write_text("from-the-file\n")
    return tmp_path


def test_the_data_folder_tells_both(data):
    found = find(data_dir=data)
    assert (found.url, found.token) == ("http://127.0.0.1:9999", "from-the-file")


def test_the_data_folder_is_the_one_of_the_settings(data, monkeypatch, tmp_path):
    monkeypatch.setenv("FULCRUM_DATA_DIR", str(data))
    assert find().token == "from-the-file"
    monkeypatch.delenv("FULCRUM_DATA_DIR")
    work = tmp_path / "work"
    work.mkdir()
    (work / "fulcrum.toml").write_text(f'data_dir = "{data}"\n')
    monkeypatch.chdir(work)
    assert find().url == "http://127.0.0.1:9999"


def test_arguments_go_before_the_environment_before_the_folder(data, monkeypatch):
    monkeypatch.setenv("FULCRUM_URL", "http://other:1/")
    monkeypatch.setenv("FULCRUM_TOKEN", "from-the-environment")
    found = find(data_dir=data)
    assert (found.url, found.token) == ("http://other:1", "from-the-environment")
    found = find("http://third:2", "given", data)
    assert (found.url, found.token) == ("http://third:2", "given")


def test_the_files_token_is_not_sent_to_another_service(data):
    assert find("http://elsewhere:9999", data_dir=data).token is None
    assert find("http://127.0.0.1:9998", data_dir=data).token is None
    assert find("http://localhost:9999", data_dir=data).token == "from-the-file"


def test_without_anything_it_is_the_default_port(tmp_path):
    assert find(data_dir=tmp_path / "none").url == "http://127.0.0.1:8470"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8470", "ftp://host", "http://", "http://[::1", "http://host:port"]
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match="URL of a service"):
        find(url)


def test_the_sdk_needs_no_service_and_no_learning_libraries():
    code = (
        "import sys, api.client; api.client.Client('http://test', 'x').close();"
        "print([m for m in ('torch','fastapi','starlette','sqlalchemy','lightning','numpy')"
        " if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
