"""LSL on this machine's loopback only, Qt without a screen, and no test that leaves threads or processes behind."""

import atexit
import multiprocessing
import os
import shutil
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
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# What a busy machine takes for an example says nothing of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

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
    deadline = time.monotonic() + 1.0
    while (left := _leaks(threads_before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"the test left running: {', '.join(left)}"
