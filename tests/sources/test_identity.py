"""What returns must be what was lost: outlets told apart by all that distinguishes them, over real LSL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.sources import lsl, lsl_expected
from rtaffect.sources.identity import Identity, description_of
from rtaffect.sources.live import Adopt, NotOursError
from rtaffect.sources.lsl import LslConnection, LslSource
from rtaffect.sources.lsl_expected import ExpectedHeadset, parse_expected
from rtaffect.sources.lsl_streams import FORGET_S, FoundStream, find_stream
from rtaffect.sources.remap import as_before
from rtaffect.sources.selection import Query
from rtaffect.stream.source import StreamHeader
from tests.support.lsl_outlet import RATE, Outlet
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

OURS = {"Fz": 11.0, "Cz": 12.0, "Pz": 13.0}
OTHERS = {"Fz": 21.0, "Cz": 22.0, "Pz": 23.0}


@pytest.fixture(autouse=True)
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is looked at more often."""
    for module in (lsl, lsl_expected):
        monkeypatch.setattr(module, "LOOK_S", 0.1)


@pytest.fixture
def name() -> str:
    return f"head-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def connect() -> Iterator[Callable[..., LslSource]]:
    sources: list[LslSource] = []

    def start(name: str, **options: Any) -> LslSource:
        source = LslSource(find_stream(Query("name", name), settle=0.1), **options)
        sources.append(source)
        source.tap = RecordingTap()
        source.start()
        wait_for(lambda: source.buffer.received)
        return source

    yield start
    for source in sources:
        source.stop()


def state(source: LslConnection) -> str:
    return source.status(pylsl.local_clock()).state


def message(source: LslConnection) -> str:
    return source.status(pylsl.local_clock()).message


def values(source: LslConnection) -> set[tuple[float, ...]]:
    """Return all samples that ever came, in microvolts, each once."""
    samples = np.round(source.buffer.read(0, np.inf).samples.astype(np.float64) * 1e6, 3)
    return {tuple(float(value) for value in row) for row in samples}


def of(values: dict[str, float]) -> tuple[float, ...]:
    return tuple(values.values())


def stays(source: LslConnection, states: set[str], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert state(source) in states, message(source)
        time.sleep(0.02)


def test_a_twin_is_never_taken_and_its_restart_neither_until_a_person_says_so(
    name: str, connect: Callable[..., LslSource]
) -> None:
    ours = Outlet(name, name, OURS)
    source = connect(name)
    twin = Outlet(name, name, OTHERS)
    wait_for(lambda: state(source) == "duplicate")
    time.sleep(0.3)
    ours.close()
    wait_for(lambda: source._there.why)
    stays(source, {"lost", "duplicate"}, 0.8)
    assert "is not taken in its place" in message(source)
    assert source.offers == (), "what was there beside ours is not even offered"
    twin.close()
    with Outlet(name, name, OTHERS):
        wait_for(lambda: source.offers)
        stays(source, {"duplicate"}, 0.4)
        assert "only if the operator says so" in message(source)
    assert values(source) == {of(OURS)}
    with Outlet(name, name, OURS) as again:
        wait_for(lambda: len(source.offers) == 1 and state(source) == "duplicate")
        wait_for(lambda: [offer.key for offer in source.offers] == [again.uid])
        source.take(source.offers[0])
        wait_for(lambda: state(source) == "ok")
        assert source.offers == ()
    assert values(source) == {of(OURS)}


def test_a_twin_made_a_moment_before_the_loss_is_found_out_by_its_birth(
    name: str, connect: Callable[..., LslSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lsl, "LOOK_S", 60.0)
    ours = Outlet(name, name, OURS)
    source = connect(name)
    with Outlet(name, name, OTHERS):
        time.sleep(0.2)
        ours.close()
        wait_for(lambda: state(source) == "duplicate")
        stays(source, {"duplicate"}, 0.4)
    assert values(source) == {of(OURS)}


def test_a_restart_is_taken_by_itself_whatever_the_order_of_its_channels_and_their_unit(
    name: str, connect: Callable[..., LslSource]
) -> None:
    ours = Outlet(name, name, OURS)
    source = connect(name)
    ours.close()
    wait_for(lambda: state(source) == "lost")
    with Outlet(name, name, OURS, silent=True) as again:
        wait_for(lambda: source.reconnections)
        assert state(source) == "stalled"
        again.silent = False
        wait_for(lambda: state(source) == "ok")
        assert message(source) == ""
    assert source.buffer.gaps == 1
    turned = {label: 1e-6 * OURS[label] for label in ("Pz", "Fz", "Cz")}
    with Outlet(name, name, turned, unit="V"):
        wait_for(lambda: source.reconnections == 2 and state(source) == "ok")
        assert "another order: they are taken by their names" in message(source)
        assert "in V instead of microvolts" in message(source)
    assert values(source) == {of(OURS)}
    assert isinstance(source.tap, RecordingTap)
    np.testing.assert_allclose(source.tap.values(), np.tile(of(OURS), (len(source.tap.values()), 1)), rtol=1e-6)


def test_what_came_back_otherwise_is_told_and_not_taken(name: str, connect: Callable[..., LslSource]) -> None:
    ours = Outlet(name, name, OURS)
    source = connect(name)
    ours.close()
    with Outlet(name, name, {"Fz": 1.0, "Cz": 2.0, "Oz": 3.0}):
        wait_for(lambda: state(source) == "changed")
        assert "with the channels Fz, Cz, Oz, expected Fz, Cz, Pz; set the device as before" in message(source)
        assert source.offers == ()
    assert values(source) == {of(OURS)}


def test_another_source_id_is_offered_and_taken_by_a_person(name: str, connect: Callable[..., LslSource]) -> None:
    ours = Outlet(name, "a", OURS)
    source = connect(name)
    ours.close()
    with Outlet(name, "b", OURS):
        wait_for(lambda: source.offers)
        assert f"{name!r} is perhaps back as {name!r} (source_id 'b')" in message(source)
        stays(source, {"lost"}, 0.6)
        source.take(source.offers[0])
        wait_for(lambda: state(source) == "ok")


def test_an_expected_headset_joins_with_the_channels_that_the_others_have(name: str) -> None:
    source = ExpectedHeadset(parse_expected(name), ("Cz", "Fz", "EOG left"), RATE)
    tap = source.tap = RecordingTap()
    try:
        source.start()
        assert state(source) == "expected"
        with Outlet(name, name, OURS) as ours:
            wait_for(lambda: state(source) == "ok")
            assert source.info.channels == source.header.labels == ("Cz", "Fz")
            ours.close()
            wait_for(lambda: state(source) == "lost")
        with Outlet(name, name, OURS):
            wait_for(lambda: state(source) == "ok")
    finally:
        source.stop()
    assert values(source) == {(12.0, 11.0)}
    np.testing.assert_allclose(tap.values()[0], (12e-6, 11e-6), rtol=1e-6)
    assert set(source.header.units) == {"V"}


@pytest.mark.parametrize(("change", "words"), [
    ({"rate": 500.0}, "has a rate of 500 Hz, expected 250 Hz as the others have"),
    ({"labels": ("", "")}, "does not name its 2 channels"),
    ({"labels": ("Fz", "Oz")}, "lacks the channels Cz that the others have"),
    ({"units": ("", "")}, "does not say in which unit"),
    ({"format": "string"}, "sends values of format 'string'"),
])  # fmt: skip
def test_an_expected_headset_that_does_not_fit_is_told(change: dict[str, Any], words: str) -> None:
    source = ExpectedHeadset(parse_expected("source_id=cap"), ("Fz", "Cz"), RATE)
    assert source._fit(header("Cz", "Fz")).columns == (1, 0)
    with pytest.raises(NotOursError, match=words):
        source._fit(replace(header("Cz", "Fz"), **change))


def test_any_headset_cannot_be_expected() -> None:
    with pytest.raises(SettingsError, match=r"--expect type=EEG means any headset; expected one by its name"):
        parse_expected("type=EEG")


def outlet(
    uid: str, *, source_id: str = "cap", name: str = "EEG", host: str = "lab", created: float = 0.0
) -> FoundStream:
    header = StreamHeader(name, "EEG", RATE, "float32", ("",) * 3, source_id=source_id, host=host, uid=uid)
    return FoundStream(header, None, created)


class TestIdentity:
    @pytest.mark.parametrize("adopt", ["never", "same-name"])
    def test_another_source_id_is_taken_without_asking_only_where_that_is_set(self, adopt: Adopt) -> None:
        """As pylsl makes up a source_id that is another one at each start of a program."""
        there = Identity(outlet("1", source_id="-8231"), adopt).candidates(
            [other_id := outlet("2")], 1.0, forgotten=True
        )
        assert there.take is (other_id if adopt == "same-name" else None)
        assert len(there.offers) == 1

    def test_a_name_that_several_have_is_not_adopted(self) -> None:
        ours, other = outlet("1"), outlet("2", source_id="other")
        known = Identity(ours, "same-name")
        for now in (1.0, 2.0):
            assert known.look([ours, other], now, now) == [ours.header], "two source_ids are no twins"
        there = known.candidates([outlet("3", source_id="new")], 5.0, forgotten=True)
        assert (there.take, there.state, len(there.offers)) == (None, "lost", 1)

    def test_the_same_id_with_another_device_behind_it_is_for_a_person_to_decide(self) -> None:
        ours, back = outlet("1"), outlet("2")
        known = Identity(ours)
        with pytest.raises(NotOursError, match="describes its device otherwise") as error:
            known.check(back, described("cap 8"), described("cap 7"), 9.0, 8.0)
        known.refuse(back, error.value)
        there = known.candidates([back], 10.0, forgotten=True)
        assert (there.take, there.state, len(there.offers)) == (None, "duplicate", 1)
        known.choose("2")
        assert known.candidates([back], 11.0, forgotten=True).take is back
        known.check(back, described("cap 8"), described("cap 7"), 9.0, 8.0)

    def test_the_very_outlet_is_taken_again_whoever_else_is_there(self) -> None:
        ours, twin = outlet("1"), outlet("2")
        known = Identity(ours)
        for now in (1.0, 2.0):
            assert len(known.look([ours, twin], now, now)) == 2
        assert known.candidates([ours, twin], 1.0, forgotten=False).take is None
        assert known.candidates([ours, twin], 1.0, forgotten=True).take is ours

    def test_a_new_outlet_is_taken_where_none_of_its_identity_was_ever_beside_ours(self) -> None:
        known, back = Identity(outlet("1")), outlet("2")
        assert known.candidates([outlet("1"), back], 1.0, forgotten=False).take is back

    @pytest.mark.parametrize("source_id", ["cap", ""])
    def test_two_that_are_there_while_ours_is_lost_are_never_told_apart(self, source_id: str) -> None:
        one, other = outlet("2", source_id=source_id), outlet("3", source_id=source_id)
        known = Identity(outlet("1", source_id=source_id))
        there = known.candidates([one, other], 1.0, forgotten=True)
        assert (there.take, there.state, len(there.offers)) == (None, "duplicate", 2)
        known.candidates([one, other], 10.0, forgotten=True)
        left = known.candidates([other], 20.0, forgotten=True)
        assert (left.take, left.state) == (None, "duplicate"), "which of them is left is not known"
        known.choose("3")
        assert known.candidates([other], 1.0, forgotten=True).take is other

    @pytest.mark.parametrize("differs", [{"host": "other room"}, {"name": "EEG 2"}])
    def test_another_computer_or_name_is_for_a_person_to_decide(self, differs: dict[str, str]) -> None:
        there = Identity(outlet("1"), "same-name").candidates([outlet("2", **differs)], 1.0, forgotten=True)
        assert (there.take, len(there.offers)) == (None, 1)

    def test_a_silent_headset_whose_outlet_is_there_has_a_twin_even_so(self) -> None:
        ours, twin = outlet("1"), outlet("2")
        known = Identity(ours)
        known.look([ours, twin], 10.0, 1.0)
        known.look([ours, twin], 10.0 + FORGET_S + 1.0, 1.0)
        assert known.candidates([twin], 1.0, forgotten=True).take is None

    def test_one_that_came_after_the_last_sample_is_no_twin(self) -> None:
        """The restart of a computer that went without a word, seen before the loss is noticed."""
        ours, back = outlet("1"), outlet("2")
        known = Identity(ours)
        known.look([ours, back], 10.0, 9.0)
        assert known.candidates([back], 1.0, forgotten=True).take is back

    def test_one_that_was_seen_before_the_last_sample_is_a_twin(self) -> None:
        ours, twin = outlet("1"), outlet("2")
        known = Identity(ours)
        known.look([ours, twin], 10.0, 9.9)
        known.settle([twin], 10.1)
        assert known.candidates([twin], 1.0, forgotten=True).take is None

    def test_another_restart_of_what_is_ours_is_no_twin(self) -> None:
        known = Identity(outlet("1"))
        for uid in "234":
            back = outlet(uid)
            there = known.candidates([outlet(str(int(uid) - 1)), back], 1.0, forgotten=False)
            assert there.take is back
            known.took(back)

    def test_what_was_closed_shortly_before_is_no_twin(self) -> None:
        known, closed, back = Identity(outlet("1")), outlet("2"), outlet("3")
        assert known.candidates([closed, back], 1.0, forgotten=True).take is None
        assert known.candidates([back], 2.0, forgotten=True).take is None, "an answer may be missed now and then"
        assert known.candidates([back], 5.0, forgotten=True).take is back

    def test_what_is_listed_but_closed_is_passed_over(self) -> None:
        known, closed, back = Identity(outlet("1")), outlet("2"), outlet("3")
        known.is_gone(closed)
        assert known.candidates([closed, back], 1.0, forgotten=True).take is back

    def test_birth_counts_on_this_computers_clock(self) -> None:
        ours, other = outlet("1"), outlet("2")
        for made, fits in ((90.0, False), (99.99, True), (101.0, True)):
            known = Identity(ours)
            try:
                known.check(other, other.header, ours.header, made, 100.0)
            except NotOursError:
                assert not fits
                assert known.candidates([other], 1.0, forgotten=True).take is None
            else:
                assert fits


def described(about: str, *labels: str) -> StreamHeader:
    channels = "".join(f"<channel><label>{label}</label></channel>" for label in labels)
    xml = f"<info><uid>x</uid><desc><channels>{channels}</channels><device>{about}</device></desc></info>"
    return StreamHeader("EEG", "EEG", RATE, "float32", labels, xml=xml)


def test_a_description_is_compared_without_its_channels() -> None:
    assert description_of(described("A", "Fz", "Cz")) == description_of(described("A", "Cz", "Fz"))
    assert description_of(described("A", "Fz")) != description_of(described("B", "Fz"))
    assert description_of(StreamHeader("EEG", "EEG", RATE, "float32", ("Fz",))) == ""


def header(*labels: str, unit: str = "uV", form: str = "float32") -> StreamHeader:
    return StreamHeader("EEG", "EEG", RATE, form, labels).uniform(unit)


class TestRemap:
    @pytest.mark.parametrize(("now", "words"), [
        (header("Fz"), "1 channels of float32 at 250 Hz, expected 2 of float32 at 250 Hz"),
        (header("Fz", "Cz", form="double64"), "2 channels of double64"),
        (replace(header("Fz", "Cz"), rate=500.0), "at 500 Hz"),
        (header("Fz", "Oz"), "the channels Fz, Oz, expected Fz, Cz"),
        (header("Fz", "Cz", unit="counts"), "in counts where it had uV"),
        (replace(header("Fz", "Cz"), types=("EEG", "AUX")), "of the types EEG, AUX, expected EEG, EEG"),
    ])  # fmt: skip
    def test_what_does_not_fit_is_refused_and_told(self, now: StreamHeader, words: str) -> None:
        with pytest.raises(NotOursError, match=f"{words}.*set the device as before"):
            as_before(header("Fz", "Cz"), now)

    def test_what_is_as_before_needs_nothing(self) -> None:
        assert as_before(header("Fz", "Cz"), header("Fz", "Cz")) is None

    def test_without_names_the_order_is_taken_to_be_as_before_and_that_is_told(self) -> None:
        remap = as_before(header("", ""), header("", ""))
        assert remap is not None
        assert remap.columns == (0, 1)
        assert "no names of its channels" in remap.note

    @pytest.mark.parametrize(("before", "now"), [
        (header("Fz", ""), header("", "Fz")),
        (header("", ""), header("Fz", "Cz")),
        (header("Fz", "Cz"), header("", "")),
        (header("Fz", "Fz", "Cz"), header("Fz", "Cz", "Fz")),
    ])  # fmt: skip
    def test_what_cannot_be_told_by_name_is_refused(self, before: StreamHeader, now: StreamHeader) -> None:
        with pytest.raises(NotOursError, match="set the device as before"):
            as_before(before, now)

    def test_a_unit_is_refused_where_it_was_replaced_or_values_are_whole_numbers(self) -> None:
        with pytest.raises(NotOursError, match="values in V where it had uV"):
            as_before(header("Fz"), header("Fz", unit="V"), "uV")
        with pytest.raises(NotOursError, match="whole numbers of V"):
            as_before(header("Fz", form="int16"), header("Fz", unit="V", form="int16"))

    def test_the_type_of_the_numbers_stays(self) -> None:
        remap = as_before(header("Fz", "Cz"), replace(header("Cz", "Fz"), units=("V", "mV")))
        assert remap is not None
        sent = np.array([[1e-6, 2e-3]], np.float32)
        assert remap(sent).dtype == np.float32
        np.testing.assert_allclose(remap(sent), [[2.0, 1.0]], rtol=1e-6)
