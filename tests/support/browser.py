"""Chromium without a window, led through its debugging pipe: pages are opened, asked, and pictured."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
_MOST_S = 60.0


class Browser:
    """One page of a running browser, which takes the commands of the Chrome DevTools Protocol, one after the other."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers, self._rest, self._number = commands, answers, b"", 0
        #: What the page's console and policy had to say of errors.
        self.errors: list[str] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    _session = ""

    def __call__(self, method: str, **given: Any) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": given}
        os.write(
            self._commands, json.dumps(asked | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told["error"]
                return told["result"]
            if told.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(told["params"]["exceptionDetails"]))
            if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.errors.append(told["params"]["entry"]["text"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._answers, 1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        return json.loads(one)

    def open(self, url: str, size: tuple[int, int] = (1280, 720)) -> None:
        """Open a page in a window of that size, px."""
        self("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        # What is asked next is asked of the new page, when it is whole.
        self.ask("window.isLeft = true")
        self("Page.navigate", url=url)
        self.wait("!window.isLeft && document.readyState === 'complete'")

    def ask(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        found = self("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the text that is seen of an element."""
        return str(self.ask(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''"))

    def wait(self, script: str) -> None:
        """Wait until an expression is true; while the page is being made, what it asks for may not be there yet."""
        end, guarded = time.monotonic() + _MOST_S, f"(() => {{ try {{ return {script} }} catch {{ return false }} }})()"
        while not self.ask(guarded):
            assert time.monotonic() < end, (
                f"{script} was not so within {_MOST_S} s: {self.ask('document.body.innerText')}"
            )
            time.sleep(0.05)

    def picture(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Run a browser with a profile of its own."""
    (their_in, commands), (answers, their_out) = os.pipe(), os.pipe()

    arguments = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
    # It reads its commands as its file 3, and answers as 4; copies first, so that neither covers the other.
    placed = (
        "import os, sys; files = [os.dup(int(n)) for n in sys.argv[1:3]]; "
        "[(os.dup2(one, n), os.set_inheritable(n, True)) for n, one in enumerate(files, start=3)]; "
        "os.execv(sys.argv[3], sys.argv[3:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", placed, str(their_in), str(their_out), CHROMIUM, *arguments,
         f"--user-data-dir={profile}"],
        pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for end in (their_in, their_out):
        os.close(end)
    try:
        yield Browser(commands, answers)
    finally:
        os.close(commands)
        os.close(answers)
        process.terminate()
        process.wait(20)
