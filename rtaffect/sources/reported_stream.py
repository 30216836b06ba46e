"""Contact that a device's program sends in a stream of its own, beside that of the EEG."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Sequence
from typing import Final

import numpy as np
import pylsl

from rtaffect.common.errors import StreamError
from rtaffect.common.worker import Worker
from rtaffect.sources.device_profile import Reports, recognise
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import FoundStream, Network, read_header
from rtaffect.sources.reported_channels import of_own_stream
from rtaffect.stream.reported import Reported
from rtaffect.stream.source import Source

_log = logging.getLogger(__name__)

#: One pull waits so long, s.
_PULL_S: Final = 0.2


class ReportedStream:
    """Takes such a stream in, on a thread of its own, into ``reported``, until it is stopped."""

    def __init__(self, found: FoundStream, reported: Reported) -> None:
        self._found, self.reported = found, reported
        self._worker = Worker(f"contact {found.header.name}", self._run)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def stop(self) -> None:
        """End, and close the stream."""
        self._worker.stop()

    def _run(self) -> None:
        try:
            inlet = pylsl.StreamInlet(self._found.handle, max_buflen=10, recover=True)
            while not self._worker.stopping:
                values, _ = inlet.pull_chunk(timeout=_PULL_S, max_samples=64)
                if values:
                    now = np.full(len(values), pylsl.local_clock())
                    self.reported.push(np.asarray(values, np.float64), now)
        except Exception as error:
            # Without it the contact index stands in its place.
            _log.warning("%r: its contact is not read any more (%s)", self._found.header.name, error)


def beside(headsets: Sequence[Source], network: Network) -> list[ReportedStream]:
    """Return the streams of contact of ``headsets``, whose ``reported`` they then fill.

    A stream is a headset's only if no other headset or stream could be meant: values of somebody else are worse than
    none.
    """
    asking = [(each, reports) for each in headsets if (reports := reports_beside(each)) is not None]
    found = []
    for source, reports in asking:
        rivals = [each for each, other in asking if other.stream == reports.stream]
        meant = [s for s in network.streams() if fnmatch.fnmatchcase(s.header.name, reports.stream) and not s.trouble]
        if len(rivals) != 1 or len(meant) != 1:
            continue
        channels = of_own_stream(_labels(meant[0]), reports)
        reported = Reported(tuple(each for each in channels if each.electrode in source.info.channels))
        if reported.channels:
            source.reported = reported  # type: ignore[attr-defined]  # every live source has one
            found.append(ReportedStream(meant[0], reported))
    return found


def reports_beside(source: Source) -> Reports | None:
    """Return how the program of a headset sends contact in a stream of its own; None where it does not."""
    if not isinstance(source, LslSource):
        return None
    about = recognise(source.header)
    reports = about.profile.contact if about is not None else None
    return reports if reports is not None and reports.stream else None


def _labels(found: FoundStream) -> tuple[str, ...]:
    """Return the names of a stream's channels, as its description has them; () if it does not describe itself."""
    try:
        return read_header(found).labels
    except StreamError:
        return ()
