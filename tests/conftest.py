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
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot

if "pylsl" in sys.modules:
    raise RuntimeError("pylsl was imported before its configuration was written; do not import it in a plugin")

_folder = Path(tempfile.mkdtemp(prefix="rtaffect-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
# Discovery asks the loopback address alone, and a session id of its own keeps parallel runs apart.
(_folder / "lsl_api.cfg").write_text(
    f"""[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
AddressesOverride = {{127.0.0.1}}
ListenAddress = 127.0.0.1
[lab]
SessionID = {uuid.uuid4().hex}
[log]
level = -3
""",
    encoding="utf-8",
)
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
#: the other, and while the first file makes the demo's bundle the other process has files that need none.
LONGEST = (
    "cli/test_commands.py",
    "test_architecture.py",
    "calibration/test_calibrate.py",
    "calibration/test_affect_validation.py",
    "sources/test_lsl.py",
    "run/test_whole_session.py",
    "timelock/test_alignment.py",
    "fuzz/test_fuzz.py",
    "timelock/test_time_lock.py",
    "start/test_watch.py",
    "view/test_start_window.py",
    "run/test_ending.py",
    "calibration/test_calibrate_spaces.py",
    "calibration/test_report.py",
    "sources/test_sound_card.py",
    "calibration/test_head_model.py",
    "models/test_export.py",
    "finished/test_bids_export.py",
    "test_bench.py",
    "models/test_checkpoint.py",
    "observed/test_asr.py",
    "sources/test_hostile_lsl.py",
    "sources/test_identity.py",
    "run/test_remote.py",
    "view/test_window.py",
    "view/test_participant.py",
    "notebook/test_recording.py",
    "record/test_recorder.py",
    "finished/test_report.py",
    "timelock/test_stimulus.py",
    "calibration/test_statistics.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    folder = Path(__file__).parent
    place = {folder / name: at for at, name in enumerate(LONGEST)}
    missing = [str(path) for path in place if not path.is_file()]
    assert not missing, f"conftest.LONGEST names what is not there: {missing}"
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
