"""Settings from a file: defaults where it says nothing, one line for a mistake."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings, read_settings
from tests.settings_page import PAGE, page


def test_without_a_file_they_are_the_defaults():
    assert read_settings(None) == Settings()
    assert read_settings(None, 60.0).signal.mains_hz == 60.0


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[signal]\nlowpass_hz = 45\nmains_hz = 50\n[synchrony]\nwindow_s = 8\n", encoding="utf-8")
    found = read_settings(path, 60.0)
    assert (found.signal.lowpass_hz, found.signal.mains_hz, found.synchrony.window_s) == (45, 60, 8)
    assert found.signal.highpass_hz == Settings().signal.highpass_hz


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[signal]\nlow = 3\n", "signal.low: Extra inputs"),
        ("[signal]\nlowpass_hz = 'much'\n", "signal.lowpass_hz"),
        ("[signal]\nlowpass_hz = 70\n", "half of rate_hz = 100"),
        ("[signal]\nhighpass_hz = 1e-310\n", "signal.highpass_hz: Input should be greater than or equal to 0.001"),
        ("[synchrony]\nsignal = 'envelope'\nband = 'gamma'\n", "gamma.*30 to 45 Hz"),
        ("signal = 3\n", "signal"),
        ("[signal\n", "cannot be read.*TOML"),
    ],
)
@pytest.mark.parametrize("mains", [None, 60.0])
def test_mistakes_are_one_line(tmp_path, text, expected, mains):
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(path, mains)
    message = str(caught.value)
    assert re.search(expected, message), message
    assert "settings.toml" in message
    assert "\n" not in message


def test_a_file_that_is_not_there():

    with pytest.raises(SettingsError, match=r"nowhere.toml cannot be read"):
        read_settings(Path("nowhere.toml"))


def test_the_page_of_settings_is_as_the_settings_are():
    """docs/settings.md has a line for each setting of the analysis and of a session, with its default."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python -m tests.settings_page"
    for section in Settings.model_fields:
        assert f"## `[{section}]`" in text
    shown = re.findall(r"^\| `([a-z_]+)` \| `(.*?)` \| ", text.partition("## Settings of a session")[0], re.M)
    found = {name: tomllib.loads(f"x = {value}")["x"] for name, value in shown}
    assert found["lags_s"] == list(range(10))
    assert found["signal"] == "broadband"
    assert found["loud_v"] == 75e-6


def test_a_mains_frequency_that_no_notch_forgets_is_refused(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[signal]\nmains_hz = 1e-321\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"is no mains; expected 50, 60, or 0 for no notch"):
        read_settings(path)
    assert read_settings(None, 0.0).signal.mains_hz == 0
