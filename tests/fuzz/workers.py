"""Runs cases in forked children with limits on memory and time, and says how each ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rtaffect.common.errors import MOST_LETTERS, RtaffectError
from tests.fuzz.mutation import damaged

#: How a case can end; the first two are good.
OUTCOMES = ("ok", "refused", "TRACEBACK", "WORDY", "HANG", "MEMORY", "CRASH")
GOOD = OUTCOMES[:2]
#: A case that takes more of the processor's time than this hangs, s; one that waits for this long, too.
MOST_CPU_S, MOST_WALL_S = 10.0, 120.0
#: Memory that a case may take beyond what its parser took for the whole, undamaged file, bytes.
MOST_BYTES = 400_000_000
#: Of the whole process, beyond what it has when it begins: a single huge array is refused at once.
_MOST_ADDRESSES = 3_000_000_000


@dataclass(frozen=True)
class Parser:
    """What reads files: ``seed`` writes good ones into a folder, those that match ``files`` are damaged, then read.

    ``seal`` repairs hashes that would otherwise stop every damaged file at the door. ``light`` parsers are read in the
    parent once, so that what they import is there in every child.
    """

    name: str
    seed: Callable[[Path], None]
    files: tuple[str, ...]
    read: Callable[[Path], None]
    seal: Callable[[Path], None] | None = None
    light: bool = True


@dataclass
class Found:
    """How the cases of a parser ended, and of each bad kind the number of the first case."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def note(self, number: int, outcome: str, detail: str) -> None:
        """Count a case."""
        self.counts[outcome] += 1
        if outcome not in GOOD:
            self.bad.setdefault((outcome, detail), []).append(number)


class Runner:
    """Damages and reads the files of one parser, case by case.

    Parameters
    ----------
    parser
        What is tried.
    seed
        Of the dice; with the number of a case it gives the same damage again.
    root
        Folder for files: the good ones, and of each child a copy.
    """

    def __init__(self, parser: Parser, seed: int, root: Path) -> None:
        self.parser, self._seed = parser, seed
        self._good, self._root = root / "good" / parser.name, root
        if not self._good.exists():
            self._good.mkdir(parents=True)
            parser.seed(self._good)
        self._files = sorted({p for pattern in parser.files for p in self._good.glob(pattern) if p.is_file()})
        if not self._files:
            raise RuntimeError(f"the seed of {parser.name} has none of {parser.files}")

    def run(self, cases: range, jobs: int, tell: Callable[[str], None]) -> Found:
        """Run the cases of these numbers in ``jobs`` children at a time."""
        if self.parser.light:
            self._read_whole(self._good)
        found, size = Found(), max(1, min(250, -(-len(cases) // jobs)))
        waiting = [cases[at : at + size] for at in range(0, len(cases), size)]
        running: list[_Child] = []
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_Child(self, waiting.pop(0)))
            time.sleep(0.005)
            for child in [c for c in running if c.ended()]:
                running.remove(child)
                left = child.collect(found)
                if len(left):
                    waiting.insert(0, left)
            tell(f"{self.parser.name}: {found.counts.total()} of {len(cases)}")
        return found

    def child(self, cases: range, at: mmap.mmap, report: Path) -> None:
        """Run cases in this process, which is a child; ``at`` tells the parent which."""
        folder = self._root / f"child-{os.getpid()}"
        shutil.copytree(self._good, folder)
        with report.open("w", encoding="utf-8") as out:
            with _silent():
                self._read_whole(folder)
            _limit(resource.RLIMIT_AS, _addresses() + _MOST_ADDRESSES)
            _limit(resource.RLIMIT_CORE, 0)
            for number in cases:
                at[:8] = struct.pack("<q", number)
                with self.damage(folder, number), _silent():
                    before = _fresh_peak()
                    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
                    outcome, detail = outcome_of(self.parser.read, folder)
                signal.setitimer(signal.ITIMER_PROF, 0.0)
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
                if grown > MOST_BYTES and outcome != "MEMORY":
                    outcome, detail = "MEMORY", f"{outcome}, but took more than {MOST_BYTES >> 20} MB"
                out.write(json.dumps([number, outcome, detail]) + "\n")
                out.flush()
                if outcome == "MEMORY":
                    # What was taken is not given back: go on in a fresh child.
                    break
        shutil.rmtree(folder, ignore_errors=True)

    def _read_whole(self, folder: Path) -> None:
        """Read the undamaged files; RuntimeError if they are refused, since then nothing behind the door is tried."""
        outcome, detail = outcome_of(self.parser.read, folder)
        if outcome != "ok":
            raise RuntimeError(f"the undamaged files of {self.parser.name} end as {outcome}: {detail}")

    @contextlib.contextmanager
    def damage(self, folder: Path, number: int) -> Iterator[None]:
        """Damage a file in ``folder`` as the case of that number does, and make it good again after the block."""
        dice = random.Random(f"{self._seed}:{self.parser.name}:{number}")
        name = dice.choice(self._files).relative_to(self._good)
        good = (self._good / name).read_bytes()
        (folder / name).write_bytes(damaged(good, name.suffix, dice))
        if self.parser.seal is not None and dice.random() < 0.7:
            with contextlib.suppress(Exception):
                self.parser.seal(folder)
        try:
            yield
        finally:
            for each in self._files if self.parser.seal is not None else (self._good / name,):
                (folder / each.relative_to(self._good)).write_bytes(each.read_bytes())

    def keep(self, number: int, to: Path) -> Path:
        """Write the damaged files of a case to a folder, and return it."""
        folder = to / f"{self.parser.name}-{self._seed}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._good, folder)
        with self.damage(folder, number):
            shutil.copytree(folder, f"{folder}.part")
        shutil.rmtree(folder)
        Path(f"{folder}.part").rename(folder)
        return folder


class _Child:
    """A forked child that runs some cases."""

    def __init__(self, runner: Runner, cases: range) -> None:
        self._cases, self._begin = cases, time.monotonic()
        self._at = mmap.mmap(-1, 8)
        self._at[:8] = struct.pack("<q", cases[0])
        self._seen = cases[0]
        self._status: int | None = None
        root = runner._root
        self._report = root / f"report-{hashlib.sha256(f'{cases}{time.monotonic_ns()}'.encode()).hexdigest()[:12]}"
        sys.stdout.flush()
        with warnings.catch_warnings():
            # A child runs nothing of the other threads, which are those of the BLAS.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            status = 1
            try:
                runner.child(cases, self._at, self._report)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)

    def ended(self) -> bool:
        """Whether it has ended; one that waits for too long is ended."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self._status = status
            return True
        at = struct.unpack("<q", self._at[:8])[0]
        if at != self._seen:
            self._seen, self._begin = at, time.monotonic()
        if time.monotonic() - self._begin > MOST_WALL_S:
            os.kill(self._pid, signal.SIGPROF)
        return False

    def collect(self, found: Found) -> range:
        """Add how the cases ended, and return those that were not run."""
        text = self._report.read_text(encoding="utf-8") if self._report.exists() else ""
        done = [json.loads(line) for line in text.splitlines() if line.endswith("]")]
        for number, outcome, detail in done:
            found.note(number, outcome, detail)
        self._report.unlink(missing_ok=True)
        assert self._status is not None
        last = done[-1][0] if done else self._cases[0] - 1
        if os.WIFSIGNALED(self._status):
            number, by = struct.unpack("<q", self._at[:8])[0], os.WTERMSIG(self._status)
            outcome = {signal.SIGPROF: "HANG", signal.SIGKILL: "MEMORY"}.get(by, "CRASH")
            if number > last:
                found.note(number, outcome, f"ended by {signal.Signals(by).name}")
                last = number
        elif self._status:
            raise RuntimeError("a child failed by itself: see above")
        return range(last + 1, self._cases.stop)


def outcome_of(read: Callable[[Path], None], folder: Path) -> tuple[str, str]:
    """Return how reading ends, and where and by what if it is bad."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(folder)
    except RtaffectError as error:
        if any(isinstance(each, MemoryError) for each in _behind(error)):
            return "MEMORY", _where(error)
        text = str(error)
        if len(text) > MOST_LETTERS + len(str(folder)) or any(not c.isprintable() for c in text):
            return "WORDY", f"{_where(error)}: {len(text)} characters, or more than one line"
        return "refused", ""
    except MemoryError as error:
        return "MEMORY", _where(error)
    except Exception as error:
        return "TRACEBACK", f"{type(error).__name__} in {_where(error)}"
    return "ok", ""


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


def _where(error: BaseException) -> str:
    """Return the innermost place of ours in which an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if any(f"/{part}/" in f.filename for part in ("rtaffect", "calibration", "models"))]
    ours = [f for f in ours if "site-packages" not in f.filename] or list(frames[-1:])
    names = [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno}" for f in ours[-1:]]
    return names[0] if names else "?"


def _fresh_peak() -> int:
    """Forget the process's peak of memory, which making damage may have had, where that can be; return it, kB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what libraries write off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, nothing = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        yield
    finally:
        for at, old in zip((1, 2), kept, strict=True):
            os.dup2(old, at)
            os.close(old)
        os.close(nothing)


def _addresses() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, resource.getrlimit(what)[1]))
