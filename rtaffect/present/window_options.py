"""What a window is opened with. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Required, TypedDict

from rtaffect.record.recorder import RecordingStatus
from rtaffect.stream.source import Source


class WindowOptions(TypedDict, total=False):
    """The parameters of :class:`rtaffect.view.operator.session_window.SessionWindow`, by name."""

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
