"""What liblsl tells of itself does not reach the terminal; a lab's own configuration is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtaffect.common.quiet_lsl import VARIABLE, quiet_lsl

ROOT = Path(__file__).parents[2]
CODE = """
from rtaffect.common.quiet_lsl import quiet_lsl
{call}
import pylsl
pylsl.StreamOutlet(pylsl.StreamInfo("quiet", "Check", 1, 0, "float32", "quiet"))
"""


def said(call: str, home: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE.format(call=call)]
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=100, check=True)
    return done.stderr


def test_liblsl_says_nothing_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert "INFO|" in said("", tmp_path)  # which is why
    assert "INFO|" not in said("quiet_lsl()", tmp_path)


@pytest.mark.parametrize("place", ["lsl_api.cfg", "lsl_api/lsl_api.cfg"])
def test_a_labs_own_configuration_holds(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("[lab]\nSessionID = lab\n")
    quiet_lsl()
    assert VARIABLE not in os.environ


def test_one_that_is_named_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "own.cfg")
    quiet_lsl()
    assert os.environ[VARIABLE] == "own.cfg"
