"""What shows a session and what controls it, as a session knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Unpack

from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions

if TYPE_CHECKING:
    from rtaffect.run.running import RunningSession


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


class Control(Protocol):
    """Something beside the operator that controls a session."""

    def began(self, running: RunningSession) -> None:
        """Take the session, which is being recorded, before its first step."""

    def ended(self, outcome: str) -> None:
        """Take how it ended; its files are being closed."""
