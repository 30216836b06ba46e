"""Another program that receives a session's feedback over LSL and by OSC and notes when: in a process of its own.

``python -m rtaffect.run.certify_receiver`` prints ``ready`` and the port at which it listens for OSC. Then it prints a
line for each value that comes from a stream of feedback on this computer, and for each step that is whole by OSC: its
time stamp or number, and when it was there, s on the LSL clock. It ends when its standard input is closed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final, Self

from rtaffect.common.errors import StreamError

#: The receiver has so long to start, s, and to end.
_READY_S, _END_S = 30.0, 5.0
#: Who is on the network is looked at so often, s; a value is waited for no longer.
_LOOK_S: Final = 0.2


class Receiver:
    """The receiving program as a context manager.

    Attributes
    ----------
    arrivals : dict of float to float
        By a value's time stamp when it was there by LSL, s.
    osc_arrivals : dict of int to float
        By a step's number when all of it was there by OSC, s on the LSL clock.
    osc_port : int
        Of this computer, at which it listens for OSC.
    """

    def __init__(self) -> None:
        self.arrivals: dict[float, float] = {}
        self.osc_arrivals: dict[int, float] = {}
        self.osc_port = 0
        self._child: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        """Start the program, and wait until it looks for streams."""
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "rtaffect.run.certify_receiver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._reader.start()
        if not self._ready.wait(_READY_S):
            self.close()
            raise StreamError(
                f"the program that receives the feedback did not start within {_READY_S:g} s; check that pylsl works "
                "here (rtaffect doctor), or try again when the computer is less busy"
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End the program and take what it still has to say; may be called twice."""
        child = self._child
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._reader.join()
        child.stdout.close()
        self._child = None

    def _read(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        for line in self._child.stdout:
            match line.split():
                case ["ready", port]:
                    self.osc_port = int(port)
                    self._ready.set()
                case ["osc", step, at]:
                    self.osc_arrivals.setdefault(int(step), float(at))
                case ["lsl", stamp, at]:
                    self.arrivals.setdefault(float(stamp), float(at))


_saying: Final = threading.Lock()


def _say(line: str) -> None:
    """Print a line whole: print() writes its end by itself, and another thread's line would come between."""
    with _saying:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _receive(handle: Any, stop: threading.Event) -> None:
    """Print when each value of a stream is there, until it is gone."""
    import pylsl

    inlet = pylsl.StreamInlet(handle, recover=False)
    while not stop.is_set():
        try:
            _, stamp = inlet.pull_sample(timeout=_LOOK_S)
        except (pylsl.util.LostError, pylsl.util.TimeoutError, pylsl.util.InternalError):
            return
        if stamp is not None:
            _say(f"lsl {stamp!r} {pylsl.local_clock()!r}")


def _receive_osc(listening: socket.socket, stop: threading.Event) -> None:
    """Print when the last packet of each step is there."""
    import pylsl

    from rtaffect.outputs.osc_messages import END
    from rtaffect.sources.osc_packet import OscError, read_packet

    listening.settimeout(_LOOK_S)
    while not stop.is_set():
        try:
            packet, at = listening.recv(65_536), pylsl.local_clock()
            steps = [int(each.arguments[0]) for each in read_packet(packet) if each.address == END]
        except (TimeoutError, OscError):
            continue
        for step in steps:
            _say(f"osc {step} {at!r}")


def main() -> None:
    """Receive from all streams of feedback that this computer offers, old or new, until standard input is closed."""
    from rtaffect.outputs.outlet import FEEDBACK_STREAM
    from rtaffect.sources.lsl_streams import Network

    stop, network = threading.Event(), Network()
    threads: dict[str, threading.Thread] = {}

    def wait_for_parent() -> None:
        while os.read(0, 64):
            pass
        stop.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    by_osc = threading.Thread(target=_receive_osc, args=(listening, stop))
    by_osc.start()
    _say(f"ready {listening.getsockname()[1]}")
    while not stop.wait(_LOOK_S):
        for stream in network.streams():
            header = stream.header
            ours = header.name == FEEDBACK_STREAM and header.host == socket.gethostname()
            # One whose connection failed on a busy computer is connected anew.
            if ours and not (header.uid in threads and threads[header.uid].is_alive()):
                threads[header.uid] = threading.Thread(target=_receive, args=(stream.handle, stop))
                threads[header.uid].start()
    for thread in (by_osc, *threads.values()):
        thread.join()
    listening.close()


if __name__ == "__main__":
    main()
