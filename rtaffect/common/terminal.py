"""The terminal: what is said there is text, whatever it contains, never markup, emoji codes or escape sequences."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from rtaffect.common.text import printable
from rtaffect.common.words import duration

#: Where there is no terminal, what is being done is said at most so often, s.
LINE_S: Final = 1.0
#: And what takes long is said again so often, s.
AGAIN_S: Final = 5.0


class Terminal(Console):
    """A console that shows names and messages as they are: ``[red]`` is five letters, and an escape is no escape.

    Takes what :class:`rich.console.Console` takes.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of what is shown, all text of them printable."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Return what says at the terminal's last line what is being done; its texts are no markup either.

        Where there is no terminal (output into a file or a pipe), what is being done is looked at every ``LINE_S``
        seconds and becomes a line of the standard error; every ``AGAIN_S`` seconds the same one, with how long it has
        taken.
        """
        kind = _PlainStatus if self.is_terminal else _Lines
        return kind(_plain(status), console=self, **options)


class _PlainStatus(Status):
    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        super().update(None if status is None else _plain(status), **options)


class _Lines(_PlainStatus):
    """Says in lines what is being done, where a line that changes cannot be shown: not what is over at once."""

    _over: threading.Event
    _doing: RenderableType = ""

    def start(self) -> None:
        """Begin to say what takes long."""
        self._over, self._doing = threading.Event(), self.status
        threading.Thread(target=self._say, args=(self._over,), daemon=True, name="progress").start()

    def stop(self) -> None:
        """Say no more."""
        self._over.set()

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        self._doing = status if status is not None else self._doing

    def _say(self, over: threading.Event) -> None:
        said, since, last = None, 0.0, 0.0
        while not over.wait(LINE_S):
            doing, now = self._doing, time.monotonic()
            if doing != said:
                said, since, last = doing, now, now
                print(_plain(doing), file=sys.stderr, flush=True)
            elif now - last >= AGAIN_S:
                last = now
                print(f"{_plain(doing)} ... {duration(now - since)}", file=sys.stderr, flush=True)


def _plain(shown: RenderableType) -> RenderableType:
    return Text(printable(shown)) if isinstance(shown, str) else shown
