"""LSL on this machine's loopback only, Qt without a screen, and no test that leaves threads or processes behind."""

import atexit
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot
from xdist.remote import Producer

from bench import loopback
from tests.support.sharing import FEWEST, NICENESS, Sharing, waits

TESTS = Path(__file__).parent

if "pylsl" in sys.modules:
    raise RuntimeError("pylsl was imported before its configuration was written; do not import it in a plugin")

_folder = Path(tempfile.mkdtemp(prefix="rtaffect-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
# Discovery asks the loopback address alone. A session id and ports of their own keep parallel runs apart: where another
# program has taken most of the usual ports, streams are not found.
(_folder / "lsl_api.cfg").write_text(loopback(), encoding="utf-8")
os.environ["LSLAPICFG"] = str(_folder / "lsl_api.cfg")
# Nothing of the user's is read or written.
os.environ["RTAFFECT_CONFIG"] = str(_folder / "config")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# What a busy machine takes for an example says nothing of the code. The same examples come in every run, so that a
# failure is of the change; RTAFFECT_EXAMPLES=random, and tests.fuzz, look for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("RTAFFECT_EXAMPLES", "same"))

# Only a test that fails waits for so long, ms; a window on a loaded machine takes its time.
for _wait in (QtBot.waitExposed, QtBot.waitSignal, QtBot.waitUntil):
    _wait.__kwdefaults__["timeout"] = 60_000

# Under nohup the end of a terminal is nothing to a program, nor to those that it starts; here it is tried.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


#: Files that take longest, in this order before all others: what comes last is short, so that no process waits long for
#: the others, and while the first file makes the demo's bundle the others have files that need none.
LONGEST = (
    "test_architecture.py",
    "calibration/test_calibrate.py",
    "calibration/test_affect_validation.py",
    "timelock/test_alignment.py",
    "fuzz/test_fuzz.py",
    "view/test_start_window.py",
    "calibration/test_calibrate_spaces.py",
    "calibration/test_report.py",
    "calibration/test_head_model.py",
    "models/test_export.py",
    "finished/test_bids_export.py",
    "test_bench.py",
    "models/test_checkpoint.py",
    "observed/test_asr.py",
    "view/test_window.py",
    "view/test_participant.py",
    "notebook/test_recording.py",
    "finished/test_report.py",
    "timelock/test_stimulus.py",
    "calibration/test_statistics.py",
)


#: Files that wait in real time more than they compute, the longest first: of three processes or more one is for these,
#: so that it goes on while the others compute, and they give way to it.
WAITING = (
    "cli/test_commands.py",
    "run/test_whole_session.py",
    "timelock/test_time_lock.py",
    "walk/test_walk.py",
    "sources/test_lsl.py",
    "run/test_ending.py",
    "sources/test_sound_card.py",
    "run/test_remote.py",
    "run/test_rated_session.py",
    "start/test_watch.py",
    "outputs/test_tone.py",
    "outputs/test_programme_player.py",
    "sources/test_identity.py",
    "sources/test_brainflow.py",
    "sources/test_fieldtrip.py",
    "sources/test_hostile_lsl.py",
    "stream/test_markers.py",
    "record/test_recorder.py",
    "run/test_board_session.py",
    "run/test_newcomers.py",
    "run/test_film_live.py",
    "run/test_own_measures.py",
    "sources/test_hostile_fieldtrip.py",
    "sources/test_held.py",
    "sources/test_board_preset.py",
    "simulation/test_headset.py",
    "outputs/test_outlet.py",
    "outputs/test_page_server.py",
    "outputs/test_film_projector.py",
    "run/test_page_browser.py",
)


def pytest_xdist_setupnodes() -> None:
    """Give libraries one thread in each process, and in what it starts: the processes share the cores.

    A thread of theirs that waits for another one keeps its core busy meanwhile.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Let what computes give way to what waits in real time."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if worker and count >= FEWEST and not waits(worker, count) and hasattr(os, "nice"):
        os.nice(NICENESS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """Share whole files among the processes, unless another way was asked for."""
    if config.getvalue("dist") != "loadfile":
        return None
    root = config.rootpath
    return Sharing(config, log, {(TESTS / name).relative_to(root).as_posix() for name in WAITING})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    place: dict[Path, int] = {}
    for name in (*WAITING, *LONGEST):
        place.setdefault(TESTS / name, len(place))
    missing = [str(path) for path in place if not path.is_file()]
    assert not missing, f"conftest.WAITING and LONGEST name what is not there: {missing}"
    items.sort(key=lambda item: place.get(item.path, len(place)))


_children: list[subprocess.Popen] = []
_popen_init = subprocess.Popen.__init__


def _recording_init(self: subprocess.Popen, *args: object, **kwargs: object) -> None:
    _popen_init(self, *args, **kwargs)
    _children.append(self)


subprocess.Popen.__init__ = _recording_init


def _leaks(threads_before: set[threading.Thread]) -> list[str]:
    threads = [t for t in threading.enumerate() if t not in threads_before and not t.daemon]
    children = [c for c in _children if c.poll() is None] + multiprocessing.active_children()
    return [repr(x) for x in (*threads, *children)]


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a non-daemon thread or a child process running."""
    threads_before = set(threading.enumerate())
    _children.clear()
    yield
    # Only what is left running is waited for; on a loaded machine a thread may end later.
    deadline = time.monotonic() + 10.0
    while (left := _leaks(threads_before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"the test left running: {', '.join(left)}"


@pytest.fixture(scope="session")
def second_model() -> None:
    """Skip a test where the second embedded model is neither installed nor can be fetched."""
    from tests.support.wakehubert import why_missing

    if reason := why_missing():
        pytest.skip(reason)
