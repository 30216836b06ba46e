"""Samples that come after their step: a replay reads affect of what had come by then, by its own way of the EEG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rtaffect.affect.bundle import save_affect_bundle
from rtaffect.affect.loaded import LoadedAffect, load_affect
from rtaffect.affect.reader import AffectReader
from rtaffect.engine.engine import Engine
from rtaffect.engine.taken import RecordedDoubts
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.sources.recorded import ArraySource
from tests.engine.test_engine import ORIGIN, SETTINGS
from tests.engine.test_patience import Ran, coarse  # noqa: F401 - a fixture
from tests.support.affect import tiny_bundle, without_rest
from tests.support.helpers import quiet

CHANNELS = ("C1", "C2")


class Read(Ran):
    """The same with a bundle of affect."""

    model: LoadedAffect

    def _engine(self, people: Sequence[ArraySource], recorded: RecordedDoubts | None) -> Engine:
        reader = AffectReader(self.model, people, ORIGIN)
        return Engine(people, ChannelSpace(CHANNELS), SETTINGS, ORIGIN, recorded=recorded, affect=reader)


@pytest.fixture(autouse=True)
def model(tmp_path_factory, monkeypatch) -> None:
    folder = tmp_path_factory.mktemp("late") / "b"
    save_affect_bundle(tiny_bundle(CHANNELS, without_rest()), folder)
    monkeypatch.setattr(Read, "model", load_affect(folder, quiet), raising=False)


def test_a_replay_is_without_what_came_after_its_step() -> None:
    live = Read(40, lambda now: float(np.clip(now % 4.7 - 3.5, 0, None)) if now > 15 else 0.0)
    told = {d.part for doubts in live.recorded.values() for d in doubts if d.about == "arrival"}
    assert told == {"P1", "P1/affect"}
    again, careless = Read(40, recorded=live.recorded), Read(40, recorded={
        step: tuple(d for d in doubts if d.about != "arrival") for step, doubts in live.recorded.items()
    })  # fmt: skip
    there = [f.affect[1].eeg.there for f in live.found]
    assert any(there)
    assert not all(there[10:])
    for f, g in zip(live.found, again.found, strict=True):
        assert [repr(values) for values in f.affect] == [repr(values) for values in g.affect]
        assert f.doubts == g.doubts
    assert any(repr(f.affect) != repr(g.affect) for f, g in zip(live.found, careless.found, strict=True))
