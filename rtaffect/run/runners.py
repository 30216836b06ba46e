"""What shows a session and what controls it, as a session knows them."""

from __future__ import annotations

from typing import Protocol, TypeVar, Unpack

from rtaffect.common.errors import SettingsError
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions
from rtaffect.run.session_sources import ProtocolSetup

#: A session that runs.
Running_contra = TypeVar("Running_contra", contravariant=True)


class WindowRunner(Protocol):
    """Shows a session until its window is closed, as :func:`rtaffect.view.run_window` does."""

    def __call__(
        self,
        presenter: Presenter,
        *,
        participant: ParticipantPresenter | None = None,
        screen: int | None = None,
        **options: Unpack[WindowOptions],
    ) -> None:
        """Return when it is closed; raises RtaffectError if there can be no window."""


class Control(Protocol[Running_contra]):
    """Something beside the operator that controls a session."""

    def began(self, running: Running_contra) -> None:
        """Take the session, which is being recorded, before its first step."""

    def ended(self, outcome: str) -> None:
        """Take how it ended; its files are being closed."""


def require_no_operator(setup: ProtocolSetup, *, typing: bool = False) -> None:
    """Refuse blocks that wait for a key where there is no window to press it in, and no terminal for ``typing``."""
    if setup.protocol is None or setup.follow is not None or typing:
        return
    waiting = next((block.name for block in setup.protocol.blocks if block.start == "operator"), None)
    if waiting is not None:
        raise SettingsError(
            f"protocol '{setup.protocol.name}': block '{waiting}' waits for the operator's key, for which there is "
            'no window here, and no terminal to type it in; give its blocks start = "auto", or run it on a screen and '
            "without --headless, or in a terminal"
        )
