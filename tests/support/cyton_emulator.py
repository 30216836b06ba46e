"""An OpenBCI Cyton on a pseudo terminal: its serial protocol, as BrainFlow speaks it, without the board."""

from __future__ import annotations

import os
import select
import threading
import time

#: Microvolts in one count of its converter at a gain of 24.
MICROVOLTS = 4.5 / (2**23 - 1) / 24 * 1e6


class CytonEmulator:
    """Sends package k with the counts 100 * k + channel, except the packages in ``dropped``; Linux and macOS only."""

    def __init__(self, dropped: range = range(0), rate: float = 250.0) -> None:
        import pty
        import tty

        self.dropped, self._rate = dropped, rate
        #: A radio link that is down: commands are answered, but no packages come.
        self.silent = False
        #: Commands that came, as one text.
        self.commands = ""
        self.sent = 0
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> CytonEmulator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """Take the dongle out: its port is gone."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        streaming, due = False, 0.0
        while not self._stop.is_set():
            if select.select([self._master], [], [], 0.002)[0]:
                command = os.read(self._master, 1).decode()
                self.commands += command
                streaming, due = (command == "b", time.monotonic()) if command in "bs" else (streaming, due)
                if command not in "bs":
                    os.write(self._master, b"OpenBCI V3$$$")
            while streaming and time.monotonic() >= due:
                due += 1 / self._rate
                self._send()

    def _send(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        if self.silent or number in self.dropped:
            return
        counts = b"".join((100 * number + channel).to_bytes(3, "big", signed=True) for channel in range(8))
        os.write(self._master, bytes([0xA0, number % 256]) + counts + bytes(6) + bytes([0xC0]))
