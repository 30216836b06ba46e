"""Starts, marks and stops a session of rtaffect from any Python program, as PsychoPy's.

    python remote_control.py [--host 127.0.0.1] [--port 22345] [--token TEXT] [--participant P01]

It needs nothing but Python. In PsychoPy's Builder, put ``Remote`` and what ``begin`` does into a Code component's
'Begin Experiment', ``remote.ask(...)`` where something happens, and ``remote.ask("stop")`` into 'End Experiment'.
rtaffect has to wait for it: ``rtaffect live --remote``.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from typing import Any


class Remote:
    """A connection to the remote control of rtaffect."""

    def __init__(self, host: str = "127.0.0.1", port: int = 22345, token: str = "") -> None:
        self._socket = socket.create_connection((host, port), timeout=120)
        self._answers = self._socket.makefile("r", encoding="utf-8")
        if token:
            self.ask(f"token {token}")
        # From here on each line has one JSON object as its answer.
        self.ask("json")

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line, and return what it is answered; RuntimeError with the reason where it was refused."""
        self._socket.sendall(f"{line}\n".encode())
        answer: dict[str, Any] = json.loads(self._answers.readline())
        if not answer["ok"]:
            raise RuntimeError(f"{line.split(maxsplit=1)[0]}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Disconnect; the session goes on."""
        self._answers.close()
        self._socket.close()


def begin(remote: Remote, participant: str) -> float:
    """Name and begin a session; return the time.perf_counter() of its zero."""
    remote.ask(f"filename {{participant:{participant}}} {{task:story}}")
    started = remote.ask("start")
    print("recording into", started["folder"])
    return time.perf_counter() + float(started["zero_in_s"])


def main() -> None:
    """Run a session of some seconds with two marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=22345)
    parser.add_argument("--token", default="")
    parser.add_argument("--participant", default="P01")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    remote = Remote(given.host, given.port, given.token)
    zero = begin(remote, given.participant)
    time.sleep(max(0.0, zero - time.perf_counter()))
    remote.ask("mark story begins")
    if remote.ask("status")["block"] is not None:
        remote.ask("block next")
    time.sleep(given.seconds)
    now = remote.ask("status")
    print(f"step {now['step']}, observed {now.get('observed')}, trusted {now.get('trusted')}: {now.get('reason')}")
    remote.ask("mark story ends")
    print("ended:", remote.ask("stop"))
    remote.close()


if __name__ == "__main__":
    main()
