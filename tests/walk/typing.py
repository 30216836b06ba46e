"""Types what a page says, in order, in an empty folder, and keeps what was seen and how long it took."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.walk import lab
from tests.walk.pages import ROOT, Step, needed_before, not_typed, steps_of, why_not

#: A session that would go on is ended by Ctrl-C after so many steps; what sends or waits, after so many seconds.
STEPS, WAITS_S = 5, 6.0
#: No command takes longer, s.
LIMIT_S = 900.0
#: What is asked to end by Ctrl-C does within this time, s.
ENDS_S = 60.0
_WITHOUT_STEPS = ("start", "simulate-headset", "contact", "soundcheck", "lightcheck")
#: Checks with a window, unless one of these words is there.
_CHECKS, _NO_WINDOW = ("contact", "soundcheck", "lightcheck"), {"--headless", "--json", "--no-capture"}
#: Runs the snippets of a page one after the other, with what they leave behind.
_SNIPPETS = """
import json, sys, traceback
left, number = {"__name__": "__main__"}, 0
for line in sys.stdin:
    number, failed = number + 1, ""
    try:
        exec(compile(json.loads(line), f"snippet {number}", "exec"), left)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C")
    except BaseException:
        failed = traceback.format_exc()
    print("\\0" + json.dumps(failed), flush=True)
"""


def _let_interrupt() -> None:
    """Let Ctrl-C reach what is typed, also where a shell runs the tests behind it and ignores that for them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step ended with: its exit status (0 for what is no command), its output, and how long it took, s."""

    step: Step
    status: int
    output: str
    seconds: float
    ended: str = ""

    @property
    def line(self) -> str:
        """The last line of the output that says something."""
        lines = [" ".join(line.split()) for line in self.output.splitlines() if re.search(r"\w", line)]
        return lines[-1] if lines else ""

    @property
    def wrong(self) -> str:
        """Why this is not what a reader was promised; '' where it is."""
        may_tell = (["certify"], ["contact"], ["soundcheck"], ["lightcheck"])
        fine = {0, 1} if self.step.words[:1] in may_tell else {0}
        if self.status not in fine:
            return f"exit status {self.status}"
        if "Traceback" in self.output:
            return "a traceback"
        return ""


def endless(step: Step) -> bool:
    """Return whether a command goes on until it is stopped, or for minutes in real time."""
    words = step.words
    if words and words[0] in _CHECKS and _NO_WINDOW & set(words):
        return False
    if words and words[0] in ("live", "demo", "replay", *_WITHOUT_STEPS):
        # At full speed a session is soon over, but its window stays to be looked at.
        return lab.words_after("--speed", words) != ["max"] or "--headless" not in words
    return step.kind == "command" and step.text in ("python launch.py", "python -m rtaffect.simulation.body")


def walk(
    page: Path, folder: Path, cache: Mapping[str, str] | None = None, without: Sequence[str] = ()
) -> Iterator[Seen]:
    """Walk a page from an empty ``folder``: yield each step, first what the page says comes before it.

    ``cache`` is the environment beside this one's, as in RTAFFECT_CACHE. Commands with one of the words ``without`` are
    left out.
    """
    table, steps = not_typed(), steps_of(page)
    steps = [step for step in [*needed_before(page), *steps] if why_not(step, table) is None]
    steps = [step for step in steps if not set(without) & set(step.text.split())]
    for name in ("launch.py", "docs", "bench", "tests", "calibration", "models", "rtaffect"):
        (folder / name).symlink_to(ROOT / name)
    with ExitStack() as stack:
        env = stack.enter_context(surroundings(steps)) | (cache or {})
        snippets = stack.enter_context(Snippets(folder, env))
        beside = stack.enter_context(ExitStack())
        for number, step in enumerate(steps):
            if step.kind == "python":
                yield snippets.run(step)
                continue
            lab.bring(step, folder)
            if step.kind == "file":
                (folder / step.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / step.file).write_text(step.text, encoding="utf-8")
                yield Seen(step, 0, f"wrote {step.file}", 0.0)
            elif endless(step):
                beside.close()
                running = beside.enter_context(Running(step, folder, env))
                seen = running.until_it_works()
                yield seen if is_read(steps[number + 1 :]) else running.stop()
            else:
                yield Running(step, folder, env).to_its_end()


def is_heard(step: Step) -> bool:
    """Return whether a command may need a sound device."""
    return step.words[:1] in (["live"], ["certify"], ["soundcheck"])


def is_read(later: Sequence[Step]) -> bool:
    """Return whether Python, which reads what is sent, comes before the next command that goes on for ever."""
    until = next((number for number, step in enumerate(later) if endless(step)), len(later))
    return any(step.kind == "python" for step in later[:until])


@contextmanager
def surroundings(steps: Sequence[Step]) -> Iterator[dict[str, str]]:
    """Give the environment in which a page is walked: a home of its own, two screens without glass, a sound server."""
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="walk-home-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        shape = {"y": 0, "width": 1280, "height": 720, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
        screens = [{"name": name, "x": x, **shape} for name, x in (("Operator", 0), ("Participant", 1280))]
        (home / "screens.json").write_text(
            json.dumps({"synchronousWindowSystemEvents": False, "screens": screens}), encoding="utf-8"
        )
        sound = stack.enter_context(lab.sound_server()) if any(map(is_heard, steps)) else {}
        yield (
            os.environ
            | sound
            | {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "RTAFFECT_CONFIG": str(home / "config"),
                "QT_QPA_PLATFORM": f"offscreen:configfile={home / 'screens.json'}",
                "MPLBACKEND": "Agg",
                "COLUMNS": "100",
            }
        )


class Running:
    """A command that was typed; a context manager that ends it."""

    def __init__(self, step: Step, folder: Path, env: Mapping[str, str]) -> None:
        self._step, self._folder, self._env = step, folder, env
        self._lines: list[str] = []
        self._said = threading.Event()
        self._seen: Seen | None = None

    def __enter__(self) -> Running:
        self._stack = ExitStack()
        self._stack.enter_context(lab.there(self._step, self._folder))
        self._begun = time.monotonic()
        _let_interrupt()
        self._child = subprocess.Popen(
            ["bash", "-c", f"exec {self._step.text}"], cwd=self._folder, env=dict(self._env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        self._alive = threading.Event()
        self._alive.set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.append(line)
        self._alive.clear()

    def until_it_works(self) -> Seen:
        """Wait until a session has made its first steps, or what sends has begun; return what was seen by then."""
        words = self._step.words
        if "--remote" in words:
            self._until(lambda: any("waiting for `start`" in line for line in self._lines))
        elif not words or words[0] in _WITHOUT_STEPS:
            self._until(self._has_begun)
            since = time.monotonic()
            self._until(lambda: time.monotonic() - since > WAITS_S)
        elif words[0] == "replay":
            # It sends nothing to count; its last line says how many steps there were.
            self._until(self._has_window)
            since = time.monotonic()
            self._until(lambda: time.monotonic() - since > 4 * WAITS_S)
        else:
            lab.steps_sent(STEPS, self._alive, LIMIT_S)
        return self._now(self._child.poll() or 0)

    def _has_begun(self) -> bool:
        """Return whether what sends has said so, or there is a window."""
        return bool(self._lines) or self._has_window()

    def _has_window(self) -> bool:
        """Return whether Qt's platform is there for a window."""
        maps = Path(f"/proc/{self._child.pid}/maps")
        return maps.exists() and "libqoffscreen" in maps.read_text(encoding="utf-8")

    def _until(self, done: Any) -> None:
        while self._alive.is_set() and not done() and time.monotonic() - self._begun < LIMIT_S:
            time.sleep(0.1)

    def stop(self) -> Seen:
        """Press Ctrl-C, and return what was seen."""
        if self._seen is None:
            ended = "Ctrl-C" if self._child.poll() is None else ""
            if ended:
                self._child.send_signal(signal.SIGINT)
            self._seen = self._wait(ENDS_S, ended)
        return self._seen

    def to_its_end(self) -> Seen:
        """Wait until the command ends by itself."""
        with self:
            self._seen = self._wait(LIMIT_S, "")
        return self._seen

    def _wait(self, limit_s: float, ended: str) -> Seen:
        try:
            self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join()
        assert self._child.stdout is not None
        self._child.stdout.close()
        self._stack.close()
        return self._now(self._child.returncode, ended)

    def _now(self, status: int, ended: str = "") -> Seen:
        return Seen(self._step, status, "".join(self._lines), time.monotonic() - self._begun, ended)


class Snippets:
    """Runs the Python of a page, block by block; a context manager."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env = folder, env
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Snippets:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.communicate(timeout=60)

    def run(self, step: Step) -> Seen:
        """Run a block after those before it; one that would go on for ever is ended by Ctrl-C."""
        begun = time.monotonic()
        if self._child is None:
            _let_interrupt()
            self._child = subprocess.Popen(
                [sys.executable, "-u", "-c", _SNIPPETS], cwd=self._folder, env=dict(self._env), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(step.text) + "\n")
        self._child.stdin.flush()
        goes_on = "while True" in step.text or "serve_forever" in step.text
        limit_s = WAITS_S + 4.0 if goes_on else LIMIT_S
        # What Ctrl-C does not end, as a call that waits for ever in C, is killed, and that is wrong.
        timers = [
            threading.Timer(limit_s, self._child.send_signal, [signal.SIGINT]),
            threading.Timer(limit_s + ENDS_S, self._child.kill),
        ]
        for timer in timers:
            timer.start()
        lines, failed = [], "the snippet ended its Python, or Ctrl-C did not end it"
        for line in self._child.stdout:
            if line.startswith("\0"):
                failed = json.loads(line[1:])
                break
            lines.append(line)
        for timer in timers:
            timer.cancel()
            timer.join()
        if self._child.poll() is not None or "ended its Python" in failed:
            self._child.communicate()
            self._child = None
        ended = "Ctrl-C" if goes_on else ""
        return Seen(step, 1 if failed else 0, "".join(lines) + failed, time.monotonic() - begun, ended)
