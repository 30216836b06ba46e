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
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import pylsl

from bench import loopback, machine
from bench.faulty.acts import Scene, loaded, perform, where
from bench.faulty.cases import CASES, END_S, FAULT_S, Case
from bench.faulty.session_cases import SESSION_CASES
from bench.faulty.sound_cases import SOUND_CASES, demo
from bench.faulty.sound_server import REMEDY, SoundServer, absent
from bench.faulty.verdict import Seen, Verdict, judge
from rtaffect.common.errors import RtaffectError
from rtaffect.predicted.featurizer import cache_root

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
#: A sender that has not ended so long after its session never does, s.
LAST_S = 60.0
#: What is tried anew where the sender dies is tried so often.
TURNS = 3
_T = TypeVar("_T")
BAD = ("WRONG", "SILENT", "TRACEBACK")
#: The null band is known sooner than by default, so that values are trusted before the fault comes.
SETTINGS = "[synchrony]\nnull_history_s = 40\nnull_least = 8\n"


ALL: Mapping[str, Case] = CASES | SESSION_CASES | SOUND_CASES


class SenderDiedError(Exception):
    """What stands for the headsets ended before the session did."""


def command(case: Case, prefix: str, folder: Path, end_s: float = END_S) -> list[str]:
    """Return what is said to the program."""
    said = ["live", "--headless", "--wait", "10", "--no-outlet", "--seconds", str(int(end_s - BEFORE_END_S))]
    for person in case.people:
        said += ["--eeg", f"{prefix}{person}"]
    if case.truth is None:
        settings = folder / "settings.toml"
        settings.write_text(SETTINGS, encoding="utf-8")
        said += ["--settings", str(settings)]
    sound = str(demo() / "sound.wav") if "SOUND" in case.options else ""
    options = [sound if each == "SOUND" else each.replace("PREFIX", prefix) for each in case.options]
    return [*said, "--out", str(folder / "session"), *options]


def session_with(case: Case, folder: Path, end_s: float = END_S) -> tuple[Scene, str]:
    """Run a live session against the case's outlets, which send until ``end_s``, s; files go into ``folder``.

    Return also what the terminal said.
    """
    config, prefix = folder / "lsl_api.cfg", f"f{uuid.uuid4().hex[:6]}-"
    config.write_text(loopback(), encoding="utf-8")
    said = command(case, prefix, folder, end_s)
    with ExitStack() as stack:
        sound = None if case.truth is None else stack.enter_context(_sound_server())
        own = {"LSLAPICFG": str(config), "PYTHONWARNINGS": "ignore", "RTAFFECT_CACHE": str(cache_root())}
        environment = (os.environ if sound is None else sound.env) | own
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        session = stack.enter_context(
            subprocess.Popen([sys.executable, "-c", SESSION, *said], cwd=ROOT, env=environment, **pipes)
        )
        first = session.stdout.readline()
        zero = pylsl.local_clock() + AHEAD_S
        files = map(str, case.script(prefix).write(folder, zero))
        sender = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "bench.faulty.sender", *files], cwd=ROOT, env=environment, stdin=subprocess.PIPE
            )
        )
        scene = Scene(session, folder / "session", folder, zero, sound)
        scene.sleep_until(1.0)
        acts = perform(scene, case.acts)
        terminal, _ = session.communicate("begin\n", timeout=end_s + 120)
        acts.join(30)
        if scene.ear is not None:
            scene.ear.communicate()
        try:
            sender.communicate(timeout=end_s + LAST_S)
        except subprocess.TimeoutExpired:
            sender.kill()
    if sender.returncode:
        raise SenderDiedError(f"the sender ended by itself (status {sender.returncode}): the session tells nothing")
    return scene, first + terminal


def with_a_sender(run: Callable[[Path], _T], folder: Path) -> _T:
    """Return what ``run`` does with a folder in ``folder``; done anew where the sender died.

    As it closes an outlet, liblsl (that of pylsl 1.18) has ended a process by a fault of memory, or never come to an
    end, once in a thousand times.
    """
    for turn in range(TURNS - 1):
        try:
            return run(_made(folder / str(turn)))
        except SenderDiedError as error:
            print(f"{folder.name}: {error}; it is run again", file=sys.stderr)
    return run(_made(folder / str(TURNS - 1)))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@contextmanager
def _sound_server() -> Iterator[SoundServer]:
    with tempfile.TemporaryDirectory(prefix="rtaffect-sound-") as place:
        server = SoundServer(Path(place), ROOT)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def lost_beyond(case: Case, scene: Scene) -> float:
    """Return how much of B's samples, which were sent during the session, the recording lacks, s."""
    script = case.script("x")
    streams = loaded(scene.out / "recording.xdf", synchronize_clocks=False, dejitter_timestamps=False)
    kept = [s for s in streams if s["info"]["name"][0].endswith("-B") and len(s["time_stamps"])]
    if not kept:
        return math.nan
    first, last = (float(kept[0]["time_stamps"][place]) - scene.zero for place in (0, -1))
    lives = [life for life in script.lives if life.key in "BC"]
    sent = sum(
        int(((s.when >= life.begin) & (s.when < life.end) & (s.stamps >= first) & (s.stamps <= last)).sum())
        for life in lives for s in (life.sent,)
    )  # fmt: skip
    return max(0.0, (sent - sum(len(s["time_stamps"]) for s in kept)) / 250.0)


def run_case(name: str, keep: Path | None = None) -> Verdict:
    """Run one case and return the verdict on it."""
    case = ALL[name]
    if case.truth is not None and (sys.platform != "linux" or absent()):
        return Verdict(f"not tried: needs Linux with {REMEDY}", 0, 0, math.nan, math.nan, (), ())
    with tempfile.TemporaryDirectory(prefix="rtaffect-fault-") as place:
        folder = Path(place) if keep is None else keep / "".join(c if c.isalnum() or c in "+-." else "_" for c in name)

        def judged(turn: Path) -> Verdict:
            scene, terminal = session_with(case, turn)
            (turn / "terminal.txt").write_text(terminal, encoding="utf-8")
            return verdict_on(case, scene, terminal)

        return with_a_sender(judged, folder)


def verdict_on(case: Case, scene: Scene, terminal: str) -> Verdict:
    """Return the verdict on a session that has ended."""
    if "Traceback" in terminal:
        return Verdict("TRACEBACK", 0, 0, math.nan, math.nan, (), ())
    try:
        seen = Seen.read(where(scene), scene.zero)
        lost = lost_beyond(case, scene) if case.lost_s else math.nan
        truth = None if case.truth is None else case.truth(scene)
    except (RtaffectError, OSError):
        said = " ".join(terminal.split())
        told = ("terminal",) if scene.process.returncode and "rtaffect: " in said else ()
        said = said.partition("rtaffect: ")[2]
        outcome = f"refused: {said[:120]} ..." if told else f"SILENT: no session, status {scene.process.returncode}"
        return Verdict(outcome, 0, 0, math.nan, math.nan, told, ())
    verdict = judge(seen, FAULT_S, case.over_s, terminal, lost_s=lost, truth=truth)
    outcome = case.check(scene, terminal)
    if outcome and not verdict.outcome.startswith(BAD):
        return replace(verdict, outcome=outcome)
    return verdict


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
    names = [name for name in ALL if any(text in name for text in asked.only)]
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
    return int(any(verdict.outcome.startswith(BAD) for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
