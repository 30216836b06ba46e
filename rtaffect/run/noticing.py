"""What the operator should know, on the terminal: at the step at which it is new."""

from __future__ import annotations

from rich.console import Console

from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Sink
from rtaffect.run.session_sources import SessionSources


def noticing(sources: SessionSources, console: Console) -> Sink:
    """Return what prints, at a step, what the operator should know and was not told at the step before."""
    before: list[str] = []

    def tell(_: Feedback) -> None:
        now = list(sources.notices())
        for text in (text for text in now if text not in before):
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
        before[:] = now

    return tell
