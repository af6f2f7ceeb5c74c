"""docs/configuration.md shows files that load, and defaults that hold."""

import re
from pathlib import Path

from scheduler import settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def blocks():
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def loaded(text, tmp_path):
    file = tmp_path / "fulcrum.toml"
    file.write_text(text)
    return settings.load(file)


def test_the_complete_file_shows_the_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    shown = loaded(blocks()[0], tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fulcrum.toml").unlink()
    assert shown.model_copy(update={"projects": {}}) == settings.load()


def test_every_setting_is_on_the_page(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    sections = (
        settings.Settings,
        settings.ExecutorSettings,
        settings.RaySettings,
        settings.HardwareSettings,
        settings.RetentionSettings,
        settings.KeepSettings,
        settings.NotificationSettings,
        settings.SmtpSettings,
        settings.PoolSettings,
        settings.ProjectSettings,
    )
    missing = [name for model in sections for name in model.model_fields if name not in page]
    assert not missing
    assert set(loaded(blocks()[2], tmp_path).pools) == {"cpu", "t4", "a10", "k80"}
