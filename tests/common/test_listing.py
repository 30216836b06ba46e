"""What is to be typed stands whole in a table, or in the list that is printed where the table has no room."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from rich.text import Text

from rtaffect.common.listing import print_table
from rtaffect.common.terminal import Terminal

HEADS = ("Board", "Rate", "Channel names")
LONG = "brainflow:freeeeg32_with_a_name_that_is_longer_than_most?serial_port=/dev/serial/by-id/usb-FTDI_FT231X_0001"
ROWS = [("brainflow:muse_2", "256 Hz", "TP9 AF7 AF8 TP10"), (LONG, "500 Hz", " ".join(f"EEG{n}" for n in range(1, 65)))]


def printed(rows: list[tuple[str, ...]], width: int, **options: object) -> list[str]:
    out = io.StringIO()
    print_table(Terminal(file=out, width=width, **options), "Boards", HEADS, rows, "none: buy one")
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "color_system": None}], ids=["pipe", "terminal"])
def test_a_name_is_whole_whatever_the_width(width: int, options: dict[str, object]) -> None:
    lines = printed(ROWS, width, **options)
    assert "brainflow:muse_2" in lines
    assert LONG in lines
    assert all(len(line) <= width for line in lines if LONG not in line)
    assert any(line.startswith("    Rate: 256 Hz") for line in lines)
    assert [f"EEG{n}" for n in range(1, 65)] == [word for line in lines for word in line.split() if word[:3] == "EEG"]


def test_where_all_fits_it_is_a_table() -> None:
    lines = printed(ROWS[:1], 80)
    assert any("Board" in line and "Channel names" in line for line in lines)
    assert any("brainflow:muse_2" in line and "TP9 AF7 AF8 TP10" in line for line in lines)


def test_several_columns_may_name_a_row() -> None:
    out = io.StringIO()
    rows = [(Text("problem", "red"), "Qt [x]", "no library " * 20, "")]
    print_table(Terminal(file=out, width=60), "", ("", "Check", "Finding", "What to do"), rows, named=2)
    lines = out.getvalue().splitlines()
    assert lines[0] == "problem Qt [x]"
    assert lines[1].startswith("    Finding: no library no library")
    assert "What to do" not in out.getvalue()


def test_without_rows_the_remedy_is_said() -> None:
    assert printed([], 80) == ["none: buy one"]


@pytest.mark.parametrize("width", [80, 250])
def test_the_commands_print_whole_names(width: int) -> None:
    from rtaffect.cli.devices import command as devices
    from rtaffect.sources.boards import find_boards

    done = CliRunner().invoke(devices, ["--boards"], env={"COLUMNS": str(width)})
    named = done.output.split()
    assert [board.text for board in find_boards() if board.text not in named] == []


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_protocol_check_prints_blocks_and_sounds_whole(tmp_path: Path, width: str) -> None:
    from rtaffect.cli.protocol import protocol

    sound, block = "a story that was read by a person whose name is long.wav", "Run with the longest name of the study"
    soundfile.write(tmp_path / sound, np.zeros(16_000 * 60), 16_000)
    blocks = f'[[block]]\nkind = "listen"\nname = "{block}"\nstimulus = "{sound}"\n'
    (tmp_path / "p.toml").write_text(f'format = 1\nname = "Study"\n{blocks}', encoding="utf-8")
    done = CliRunner().invoke(protocol, ["check", str(tmp_path / "p.toml")], env={"COLUMNS": width})
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert block in text
    assert sound in text


def test_featurizers_prints_whole_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.catalogue import CATALOGUE
    from models.featurizers import command as featurizers

    monkeypatch.setenv("RTAFFECT_CACHE", str(tmp_path))
    done = CliRunner().invoke(featurizers, [], env={"COLUMNS": "80"})
    assert {known.name for known in CATALOGUE} <= set(done.output.split())
