"""A short run of the fuzz harness: no damaged file and no wrong call ends in another way than in one line."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from rtaffect.common.errors import RtaffectError
from tests.fuzz.mutation import damaged
from tests.fuzz.workers import Found, Parser, Runner

ROOT = Path(__file__).parents[2]


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the harness in a process of its own: it forks, and limits what its children take."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(900)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    done = fuzz("--cases", "540", "--seed", "20", "--keep", str(tmp_path / "kept"), "--scratch", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "**all**" in done.stdout


@pytest.mark.timeout(900)
def test_wrong_calls_run_or_are_refused_in_one_line():
    done = fuzz("--calls", "--every", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "**all**" in done.stdout


def _seed(folder: Path) -> None:
    (folder / "a.json").write_text('{"number": 1, "text": "b"}')


def _ran(read, tmp_path: Path, cases: int = 3) -> tuple[Found, Runner]:
    runner = Runner(Parser("made-up", _seed, ("*.json",), read, light=False), 1, tmp_path / "scratch")
    return runner.run(range(cases), 2, lambda _: None), runner


def _only_damaged(act):
    """Return a reader that does ``act`` to damaged files."""

    def read(folder: Path) -> None:
        if (folder / "a.json").read_bytes() != b'{"number": 1, "text": "b"}':
            act()

    return read


def _refuse(text: str) -> None:
    raise RtaffectError(text)


def _spin() -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (lambda: None, "ok"),
        (lambda: _refuse("one line"), "refused"),
        (lambda: {}["missing"], "TRACEBACK"),
        (lambda: bytearray(600_000_000).count(b"\1"), "MEMORY"),
        (lambda: bytearray(10**13), "MEMORY"),
        (lambda: __import__("os").abort(), "CRASH"),
    ],
)
def test_every_ending_is_told_from_the_others(tmp_path, act, outcome):
    found, _ = _ran(_only_damaged(act), tmp_path)
    assert found.counts.total() == 3
    # Damage may leave a file as it was.
    assert found.counts[outcome] >= 2
    assert bool(found.bad) == (outcome not in ("ok", "refused"))


def test_what_never_ends_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.workers.MOST_CPU_S", 0.1)
    found, _ = _ran(_only_damaged(_spin), tmp_path, cases=2)
    assert found.counts["HANG"] >= 1


def test_a_case_is_the_same_again_and_its_files_are_kept(tmp_path):
    _, runner = _ran(lambda _: None, tmp_path, 1)
    kept = [(runner.keep(3, tmp_path / name) / "a.json").read_bytes() for name in ("one", "two")]
    assert kept[0] == kept[1]
    assert (tmp_path / "scratch/good/made-up/a.json").read_bytes() == b'{"number": 1, "text": "b"}'


def test_a_seed_that_is_refused_is_no_seed(tmp_path):
    with pytest.raises(RuntimeError):
        _ran(lambda _: _refuse("always"), tmp_path)


def test_every_kind_of_damage_stays_within_its_size_and_differs():
    good = json.dumps({"a": [1, 2.5, "text"] * 20}).encode()
    found = {damaged(good, suffix, random.Random(i)) for suffix in (".json", ".tsv", ".bin") for i in range(200)}
    assert len(found) > 300
    assert max(map(len, found)) <= 4_000_000
    assert gzip.decompress(damaged(good, ".xdf", _Always(0.001)))


class _Always(random.Random):
    """Dice that show the same number."""

    def __init__(self, shown: float) -> None:
        super().__init__(0)
        self._shown = shown

    def random(self) -> float:
        return self._shown
