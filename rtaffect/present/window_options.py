"""What a window is opened with. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Required, TypedDict

from rtaffect.present.contact_state import HeadView
from rtaffect.record.recorder import RecordingStatus
from rtaffect.stream.source import Source


@dataclass(frozen=True, slots=True)
class OperatorCalls:
    """What the operator can do beside going on and passing over: any is None where it is not possible.

    ``pause`` lets the block stand still or go on, ``repeat`` begins it again. ``note`` takes a text and the LSL time
    that it is of, s, ``mark`` the name of one of ``marks`` (key, name) and the time at which its key was pressed.
    """

    pause: Callable[[], None] | None = None
    repeat: Callable[[], None] | None = None
    note: Callable[[str, float], None] | None = None
    mark: Callable[[str, float], None] | None = None
    marks: tuple[tuple[str, str], ...] = ()


class WindowOptions(TypedDict, total=False):
    """The parameters of :class:`rtaffect.view.operator.session_window.SessionWindow`, by name.

    Attributes
    ----------
    title : str
        Name of the session, shown beside the program's.
    banner : str or None
        A text that must be seen at all times, such as that the data are synthetic.
    on_close : callable
        Called exactly once, when the window is closed.
    now : callable
        Present time on the clock of ``Feedback.lsl_time``, s.
    poll : callable or None
        Returns None while the session runs. A text says that it has ended; one that begins with 'fault:' says that
        it has failed.
    seconds_after_end : float or None
        Close that long after the end, s; None leaves the window open.
    sources : sequence of Source
        Of the session, for raw traces and the sound; their buffers are read, nothing else.
    on_go, on_skip : callable or None
        Called when the operator starts the block that waits, or skips the present one; None where there is no protocol.
    on_marker : callable or None
        Called with the text of a marker that the operator sets; None where markers are not kept.
    on_take, on_next_offer : callable or None
        Called when the operator takes the headset that is offered for one that is lost, or wants to see the next; None
        where nothing can come back.
    notices : callable or None
        Returns what is to be known of devices beside the session's, in words.
    recording : callable or None
        Returns how the recording is; None where nothing is recorded.
    blinded : bool
        Whether the session's arm is sealed; that is said, and nothing else of it.
    plane_first : bool
        Whether the plane is the page that is seen first, as where there is nothing but affect.
    zones : mapping of str to sequence of str
        Regions of each zone, so that zones can be drawn on the brain.
    contact : callable or None
        Returns the electrodes' contact of each headset; None where it is not measured.
    tour : bool
        Whether the tour of the window begins by itself, for who has not seen it.
    operator : OperatorCalls
        What the operator can do beside.
    """

    title: Required[str]
    banner: str | None
    on_close: Required[Callable[[], None]]
    now: Required[Callable[[], float]]
    poll: Callable[[], str | None] | None
    seconds_after_end: float | None
    sources: Sequence[Source]
    on_go: Callable[[], None] | None
    on_skip: Callable[[], None] | None
    on_marker: Callable[[str], None] | None
    recording: Callable[[], RecordingStatus] | None
    blinded: bool
    plane_first: bool
    on_take: Callable[[], object] | None
    on_next_offer: Callable[[], None] | None
    notices: Callable[[], Sequence[str]] | None
    zones: Mapping[str, Sequence[str]] | None
    contact: Callable[[], Sequence[HeadView]] | None
    tour: bool
    operator: OperatorCalls
