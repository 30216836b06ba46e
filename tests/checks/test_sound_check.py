"""A sound check asks for what goes together, and hears a delay that is planted in real sound."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rtaffect.checks.level_tone import LASTS_S, TONE_DB, tone_of
from rtaffect.checks.light_check import LightCheckPlan
from rtaffect.checks.sound_check import SoundCheckPlan
from rtaffect.cli import cli
from rtaffect.common.errors import RtaffectError, SettingsError
from tests.sources.test_sound_card import ROOT, PulseServer, pulse  # noqa: F401 - pulse is a fixture


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (SoundCheckPlan(capture="a", capture_stream="b"), "exclude each other"),
        (SoundCheckPlan(clicks=3), "3 clicks"),
        (LightCheckPlan(), "name it"),
        (LightCheckPlan(stream="a", simulate_ms=3.0), "name it"),
        (LightCheckPlan(simulate_ms=3.0, channel="1"), "--channel is of --stream"),
    ],
)
def test_what_does_not_go_together_is_refused(plan: SoundCheckPlan | LightCheckPlan, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        plan.check()


def test_the_tone_has_its_level_and_comes_and_goes_softly() -> None:
    tone = tone_of(8000.0)[:, 0]
    assert len(tone) == LASTS_S * 8000
    assert 20 * np.log10(tone[1600:4800].std()) == pytest.approx(TONE_DB, abs=0.05)
    assert np.abs(np.diff(tone)).max() < 0.06
    assert np.all(tone[6500:7900] == 0)


def test_without_a_screen_a_light_check_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(cli, ["lightcheck", "--stream", "Photodiode", "--headless"])
    assert isinstance(done.exception, RtaffectError)
    assert "there is no screen that could flash" in str(done.exception)


@pytest.mark.slow
def test_a_planted_delay_is_heard_through_a_sound_server(pulse: PulseServer) -> None:  # noqa: F811
    latency = []
    for delay, noise in (("0", "0"), ("0.12", "0.05")):
        command = [sys.executable, "-W", "error", "-m", "bench.checks_child", delay, noise, "10"]
        done = subprocess.run(command, env=pulse.env, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        latency.append(json.loads(done.stdout)["latency_ms"])
    # A null sink has its own, and tells it only to some ms.
    assert latency[1] - latency[0] == pytest.approx(120, abs=5)


@pytest.mark.slow
def test_the_command_sets_a_level_and_measures(pulse: PulseServer, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "config"
    command = [sys.executable, "launch.py", "soundcheck", "--json", "--clicks", "10", "--level", "-6"]
    done = subprocess.run(
        command, cwd=ROOT, env=pulse.env | {"RTAFFECT_CONFIG": str(config)}, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert done.returncode == (0 if "latency_ms" in found else 1), done.stderr
    assert found["level_db"] == -6.0
    assert "level_db = -6.0" in (config / "checks.toml").read_text(encoding="utf-8")
    assert "\nsound: " in done.stderr
