"""Which streams of markers a live session records, and what is said of the others."""

from __future__ import annotations

import uuid

import pylsl
import pytest

from rtaffect.run import live
from rtaffect.sources.lsl_streams import Network
from tests.support.waiting import wait_for


def test_markers_of_any_type_are_recorded_and_too_many_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_MARKER_STREAMS", 2)
    unique = uuid.uuid4().hex[:6]
    kinds = {"texts 1": "string", "numbers": "int32", "texts 3": "string"}
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
    names = sorted(f"{name} {unique}" for name in kinds)
    assert [markers.header.name for markers in found] == names[:2]
    assert notes == [f"markers are not recorded: stream {names[2]!r} is one more than 2: close some"]
