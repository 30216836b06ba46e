"""Which streams of markers a live session records, and what is said of the others."""

from __future__ import annotations

import uuid

import pylsl
import pytest

from rtaffect.run import live
from rtaffect.sources.lsl_streams import Network
from tests.support.waiting import wait_for


def test_markers_that_are_no_texts_or_too_many_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_MARKER_STREAMS", 2)
    unique = uuid.uuid4().hex[:6]
    kinds = {"texts 1": "string", "texts 2": "string", "texts 3": "string", "numbers": "int32"}
    outlets = [
        pylsl.StreamOutlet(pylsl.StreamInfo(f"{name} {unique}", "Markers", 1, 0.0, kind, f"{name} {unique}"))
        for name, kind in kinds.items()
    ]
    network = Network()
    wait_for(lambda: sum(unique in stream.header.name for stream in network.streams()) == len(kinds))
    monkeypatch.setattr(live, "Network", lambda: network)
    monkeypatch.setattr(live, "_MARKERS_S", 0.0)
    found, notes = live._all_markers(None)
    del outlets
    assert [markers.header.name for markers in found] == [f"texts 1 {unique}", f"texts 2 {unique}"]
    assert len(notes) == 2
    assert notes[0].startswith(f"markers are not recorded: stream 'numbers {unique}' carries 1 channels of int32")
    assert notes[1] == f"markers are not recorded: stream 'texts 3 {unique}' is one more than 2: close some"
