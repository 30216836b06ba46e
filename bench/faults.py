"""Faults injected into real LSL outlets while a session runs: what is right, withheld or wrong, and where it is told.

Two people share 95 % of their EEG's power, so that a value rests on the right samples of both at the right times
exactly if it is near .94. Each case runs a whole ``live`` session in a process of its own and judges what it left.
``--only TEXT`` runs the cases whose name holds it, ``--jobs N`` so many at a time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pylsl
import pyxdf

from bench import loopback, machine
from bench.faulty.cases import CASES, END_S, FAULT_S, Case
from bench.faulty.verdict import Seen, Verdict, judge
from rtaffect.common.errors import RtaffectError

#: The sender begins so long after it is started, s; the session is to end this much before the sender does.
AHEAD_S, BEFORE_END_S = 3.0, 12.0
#: The command ``live`` in a process that has imported everything before it is told to begin.
SESSION = """
import sys, rtaffect.run.live, rtaffect.run.running
from rtaffect.cli import main
print("ready", flush=True)
sys.stdin.readline()
sys.argv[0] = "rtaffect"
main()
"""
ROOT = Path(__file__).resolve().parents[1]
#: The null band is known sooner than by default, so that values are trusted before the fault comes.
SETTINGS = "[synchrony]\nnull_history_s = 40\nnull_least = 8\n"


@dataclass(frozen=True)
class Ran:
    """A session that was run: its exit status, what the terminal said, and its folder."""

    status: int
    terminal: str
    folder: Path
    zero: float


def session_with(case: Case, folder: Path) -> Ran:
    """Run a live session against the case's outlets; files go into ``folder``."""
    settings, config, out = folder / "settings.toml", folder / "lsl_api.cfg", folder / "session"
    settings.write_text(SETTINGS, encoding="utf-8")
    config.write_text(loopback(), encoding="utf-8")
    prefix = f"f{uuid.uuid4().hex[:6]}-"
    environment = os.environ | {"LSLAPICFG": str(config), "PYTHONWARNINGS": "ignore"}
    said = [
        "live", "--eeg", f"{prefix}A", "--eeg", f"{prefix}B", "--headless", "--wait", "10", "--no-outlet", "--settings",
        str(settings), "--seconds", str(int(END_S - BEFORE_END_S)), "--out", str(out), *case.options,
    ]  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, "-c", SESSION, *said], cwd=ROOT, env=environment, **pipes) as session:
        first = session.stdout.readline()
        zero = pylsl.local_clock() + AHEAD_S
        files = map(str, case.script(prefix).write(folder, zero))
        with subprocess.Popen(
            [sys.executable, "-m", "bench.faulty.sender", *files], cwd=ROOT, env=environment, stdin=subprocess.PIPE
        ) as sender:
            time.sleep(max(0.0, zero + 1.0 - pylsl.local_clock()))
            terminal, _ = session.communicate("begin\n", timeout=END_S + 120)
            sender.communicate()
    return Ran(session.returncode, first + terminal, out, zero)


def lost_beyond(case: Case, ran: Ran) -> float:
    """Return how much of B's samples, which were sent during the session, the recording lacks, s."""
    script = case.script("x")
    streams, _ = pyxdf.load_xdf(str(ran.folder / "recording.xdf"), synchronize_clocks=False, dejitter_timestamps=False)
    kept = [s for s in streams if s["info"]["name"][0].endswith("-B") and len(s["time_stamps"])]
    if not kept:
        return math.nan
    first, last = (float(kept[0]["time_stamps"][place]) - ran.zero for place in (0, -1))
    lives = [life for life in script.lives if life.key in "BC"]
    sent = sum(
        int(((s.when >= life.begin) & (s.when < life.end) & (s.stamps >= first) & (s.stamps <= last)).sum())
        for life in lives for s in (life.sent,)
    )  # fmt: skip
    return max(0.0, (sent - sum(len(s["time_stamps"]) for s in kept)) / 250.0)


def run_case(name: str, keep: Path | None = None) -> Verdict:
    """Run one case and return the verdict on it."""
    case = CASES[name]
    with tempfile.TemporaryDirectory(prefix="rtaffect-fault-") as place:
        folder = Path(place) if keep is None else keep / "".join(c if c.isalnum() or c in "+-." else "_" for c in name)
        folder.mkdir(parents=True, exist_ok=True)
        ran = session_with(case, folder)
        (folder / "terminal.txt").write_text(ran.terminal, encoding="utf-8")
        if "Traceback" in ran.terminal:
            return Verdict("TRACEBACK", 0, 0, math.nan, math.nan, (), ())
        try:
            seen = Seen.read(ran.folder, ran.zero)
            lost = lost_beyond(case, ran) if case.lost_s else math.nan
        except (RtaffectError, OSError):
            said = " ".join(ran.terminal.split())
            told = ("terminal",) if ran.status and "rtaffect: " in said else ()
            said = said.partition("rtaffect: ")[2]
            outcome = f"refused: {said[:120]} ..." if told else f"SILENT: no session, exit status {ran.status}"
            return Verdict(outcome, 0, 0, math.nan, math.nan, told, ())
        return judge(seen, FAULT_S, case.over_s, ran.terminal, lost)


def line_of(name: str, verdict: Verdict) -> list[str]:
    """Return the cells of a case's row."""

    def seconds(value: float) -> str:
        return "" if math.isnan(value) else f"{value:.1f}"

    told = ", ".join(verdict.told)
    reasons = ", ".join(f"`{reason}`" for reason in verdict.reasons)
    cells = [name, verdict.outcome, str(verdict.withheld or ""), seconds(verdict.back_s)]
    return [*cells, "" if math.isnan(verdict.lost_s) else f"{verdict.lost_s:.2f}", told, reasons]


HEADINGS = ["fault", "outcome", "steps withheld", "back after, s", "lost beyond it, s", "told in", "as"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases asked for, print the table, and return 1 if any row is wrong or silent."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="cases whose name holds one of these")
    parser.add_argument("--jobs", type=int, default=4, help="sessions at a time")
    parser.add_argument("--quick", action="store_true", help="three cases: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the sessions there")
    asked = parser.parse_args(arguments)
    names = [name for name in CASES if any(text in name for text in asked.only)]
    if asked.quick:
        names = ["nothing is wrong", "a headset is lost for good", "zeros for 1 s"]
    with ThreadPoolExecutor(asked.jobs) as pool:
        verdicts = list(pool.map(lambda name: run_case(name, asked.keep), names))
    found = dict(zip(names, verdicts, strict=True))
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(line_of(name, verdict) for name, verdict in found.items())]
    about = machine()
    print(f"faults: {about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
    print(*(f"| {' | '.join(line)} |" for line in lines), sep="\n")
    if asked.json:
        rows = [{"fault": name} | asdict(verdict) for name, verdict in found.items()]
        asked.json.write_text(json.dumps({"bench": "faults", "machine": about, "rows": rows}, indent=2) + "\n")
    return int(any(verdict.outcome.startswith(("WRONG", "SILENT", "TRACEBACK")) for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
