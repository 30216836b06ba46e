"""Whether a window can be shown is tried before any work, by the real Qt, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pathlib import Path

import pytest
from click.testing import CliRunner

from rtaffect.cli import cli
from rtaffect.common.errors import RtaffectError
from rtaffect.common.system_packages import SOUND, WINDOW, apt_install
from rtaffect.view import require_window, trial
from rtaffect.view.trial import try_window

ROOT = Path(__file__).parents[2]


def test_a_window_opens_on_the_platform_that_is_used() -> None:
    found = try_window()
    assert (found.ok, found.said, found.screen) == (True, "a window opens on offscreen", True)
    require_window()


def test_what_cannot_show_a_window_is_refused_with_all_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "nosuch")
    with pytest.raises(RtaffectError) as refused:
        require_window()
    for text in ("nosuch", *WINDOW, "--headless"):
        assert text in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("missing", ["PySide6", "pyqtgraph"])
def test_a_package_that_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_CODE", trial._CODE.replace(f'"{missing}"', '"package_that_is_not_there"'))
    assert try_window().said == "package_that_is_not_there is not installed"


def test_without_a_screen_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    require_window()


COMMANDS = [["demo"], ["replay", "no.xdf"], ["start"], ["live"], ["certify"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_a_session_is_refused_before_anything_is_made(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    for name, value in (("RTAFFECT_CACHE", cache), ("RTAFFECT_CONFIG", tmp_path / "config")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(trial, "_CODE", "import sys; sys.exit('Qt cannot load libxcb-shape.so.0')")
    result = CliRunner().invoke(cli, command)
    assert isinstance(result.exception, RtaffectError)
    assert "libxcb-shape.so.0" in str(result.exception)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("module", "runner", "command"),
    [
        ("sessions", "run_plan", ["demo"]),
        ("sessions", "run_plan", ["replay", "no.xdf"]),
        ("sessions", "run_plan", ["live"]),
        ("certify", "certify", ["certify", "--no-capture"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_qt_is_loaded_before_any_thread_loads_something(module: str, runner: str, command: list[str]) -> None:
    """Qt goes through ``sys.modules`` while it is loaded, and aborts the process if that grows meanwhile."""
    code = f"""
import sys, threading
import rtaffect.cli.sessions, rtaffect.cli.certify, rtaffect.run.remote
def run(*_, **__):
    print("loaded" if "PySide6.QtWidgets" in sys.modules and threading.active_count() == 1 else "not loaded")
    sys.exit()
rtaffect.cli.{module}.{runner} = rtaffect.run.remote.run_sessions = run
rtaffect.cli.cli({command!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert "loaded" in done.stdout.split(), done.stderr[-2000:]


def test_the_documents_have_the_same_packages() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"`{apt_install(WINDOW)}`" in readme
    assert f"`{apt_install(SOUND)}`" in readme
