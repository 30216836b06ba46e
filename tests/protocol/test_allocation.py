"""Arms: drawing, sealing, opening on record, donors; and what an operator can see before that."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tomllib
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.cli.protocol import allocate, unblind
from rtaffect.common.errors import ArtifactError, RecordingError, RtaffectError, SettingsError
from rtaffect.plan.session_folder import open_session
from rtaffect.protocol.allocation import Allocation, draw
from rtaffect.protocol.arms import Alike, ArmSource, Delayed, Place, Real
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.donors import as_recorded, blocks_that_ran, open_donor
from rtaffect.protocol.protocol_step import Shown
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.seal import allocation_sha256, arm_of, key_beside, seal, session_codes, unseal
from rtaffect.protocol.timeline import keys_that_gave
from tests.support.protocol_files import BLOCKS, WINDOW_S, conduct, course, protocol_of, write_donor, write_protocol

REAL, LATE = {"name": "real", "feedback": "real"}, {"name": "late", "feedback": "delayed", "delay_s": 7}
SHAM = {"name": "sham", "feedback": "yoked", "donors": ["donors/D1", "donors/D2"]}
CODES = [f"P{number:02d}" for number in range(1, 13)]


def run(command: object, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "160"})  # type: ignore[arg-type]


def study(folder: Path, arms=(REAL, SHAM), donors: int = 2) -> Path:
    """Write a protocol with its donors and return its file."""
    own = protocol_of()
    for number in range(1, donors + 1):
        write_donor(folder / f"donors/D{number}", conduct(own, course(number, 220)), participant=f"D{number}")
    return write_protocol(folder / "p.toml", arms=arms)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A study that no test changes."""
    return study(tmp_path_factory.mktemp("study"))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(2, 4), st.integers(0, 2**40))
def test_every_block_holds_all_arms_equally_often(people, times, arms, seed):
    protocol = protocol_of(arms=[{"name": f"arm{n}", "feedback": "real"} for n in range(arms)])
    codes = [f"X{n}" for n in range(people)]
    drawn = draw(protocol, codes, block_size=times * arms, seed=seed)
    assert [one.participant for one in drawn.assigned] == codes
    order = [one.arm for one in drawn.assigned]
    for start in range(0, people, times * arms):
        block = order[start : start + times * arms]
        assert max(map(block.count, block)) <= times
        if len(block) == times * arms:
            assert {block.count(arm.name) for arm in protocol.arms} == {times}
    again = draw(protocol, codes, block_size=times * arms, seed=seed)
    assert again.assigned == drawn.assigned
    assert again.salt != drawn.salt


def test_more_participants_than_any_study_has_are_refused_at_once():
    protocol = protocol_of(arms=[REAL, {**REAL, "name": "other"}])
    with pytest.raises(SettingsError, match="at most 10000"):
        draw(protocol, [f"P{n}" for n in range(10_001)])
    assert len(draw(protocol, [f"P{n}" for n in range(10_000)]).assigned) == 10_000


def test_a_small_file_does_not_unpack_to_all_memory(tmp_path):
    packed = zlib.compress(bytes(100_000_000), 9)
    code = base64.encodebytes(hashlib.sha256(packed).digest() + packed)
    protocol = protocol_of(arms=[REAL, {**REAL, "name": "other"}])
    seal(draw(protocol, CODES), tmp_path / "good.txt")
    head = (tmp_path / "good.txt").read_bytes().split(b"\n")[0]
    (tmp_path / "bomb.txt").write_bytes(head + b"\n" + code)
    with pytest.raises(ArtifactError, match="larger than any allocation"):
        unseal(tmp_path / "bomb.txt")


def test_seeds_differ_and_every_arrangement_of_a_block_occurs():
    protocol = protocol_of(arms=[REAL, {**REAL, "name": "other"}])
    found = {tuple(one.arm for one in draw(protocol, CODES[:4], seed=seed).assigned) for seed in range(200)}
    assert len(found) == 6
    assert len({tuple(one.arm for one in draw(protocol, CODES).assigned) for _ in range(20)}) > 1


def test_donors_take_turns(shared):
    drawn = draw(read_protocol(shared), CODES, seed=1)
    donors = [one.donor for one in drawn.assigned if one.arm == "sham"]
    assert len(donors) == 6
    assert all({*donors[i : i + 2]} == {"donors/D1", "donors/D2"} for i in (0, 2, 4))
    assert all(one.donor is None for one in drawn.assigned if one.arm == "real")


@pytest.mark.parametrize(
    ("codes", "size", "arms", "expected"),
    [
        (CODES, 3, [REAL, LATE], "a block of 3 does not hold 2 arms equally often: choose a multiple of 2"),
        (CODES, 0, [REAL, LATE], "a block of 0"),
        (CODES, None, [REAL], "has 1 arms: an allocation needs two or more"),
        (["P1", "P2", "P1"], None, [REAL, LATE], "participant P1 is named twice"),
        (["P 1"], None, [REAL, LATE], "'P 1' is no participant's code: expected letters and digits"),
        ([], None, [REAL, LATE], "no participant is named"),
    ],
)
def test_what_cannot_be_drawn(codes, size, arms, expected):
    with pytest.raises(SettingsError, match=expected) as caught:
        draw(protocol_of(arms=arms), codes, block_size=size)
    assert "\n" not in str(caught.value)


def test_a_sealed_file_shows_nothing_and_comes_back(shared, tmp_path):
    path = tmp_path / "allocation.sealed"
    result = run(allocate, shared, "--participants", ",".join(CODES), "--seed", 5, "--block-size", 4, "--out", path)
    assert result.exit_code == 0, result.output
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert f"SHA-256 {sha256}" in result.output
    text = data.decode("ascii")
    assert not [word for word in ("donors", "assigned", '"', "real:", "P05:") if word in text.split("\n", 1)[1]]
    assert not [
        word for word in ("real", "sham", "P05", "D1", "seed") if word in result.output.split(" participants")[1]
    ]
    drawn, found = unseal(path)
    assert found == sha256
    assert drawn.assigned == draw(read_protocol(shared), CODES, seed=5, block_size=4).assigned
    assert drawn.seed == 5
    again = run(allocate, shared, "--count", 12, "--out", path)
    assert "is there already; name a new file, nothing is overwritten" in str(again.exception)
    assert path.read_bytes() == data
    assert allocation_sha256(path) == sha256, "the key is not needed"


def test_without_the_key_nothing_opens(shared, tmp_path):
    """Neither the whole nor any entry but the one whose code is known; the length of an entry tells nothing."""
    path, protocol = tmp_path / "allocation.sealed", read_protocol(shared)
    drawn = draw(protocol, CODES)
    key = tmp_path / "lead/a.key"
    key.parent.mkdir()
    seal(drawn, path, key)
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ArtifactError, match=r"the key .*allocation.sealed.key is not there; .*--key"):
        unseal(path)
    assert unseal(path, key)[0] == drawn
    codes = session_codes(key)
    for one in drawn.assigned:
        assert arm_of(path, one.participant, protocol, codes[one.participant].lower().replace("-", " ")) == one
        for wrong in (None, "", codes["P02" if one.participant == "P01" else "P01"], "AAAAA-AAAAA-AAAAA-AAAAA"):
            with pytest.raises(SettingsError, match="--session-code"):
                arm_of(path, one.participant, protocol, wrong)
    held = json.loads(zlib.decompress(base64.b64decode(path.read_bytes().partition(b"\n")[2])[32:]))
    assert len({len(entry) for entry in held["entries"].values()}) == 1
    assert not [word for word in ("real", "sham", "donors", "seed") if word in json.dumps(held)]
    other = tmp_path / "other.sealed"
    seal(draw(protocol, CODES), other)
    with pytest.raises(ArtifactError, match="is of another allocation"):
        unseal(path, key_beside(other))


def test_a_file_that_was_only_encoded_is_still_read(shared, tmp_path):
    protocol = read_protocol(shared)
    drawn, path = draw(protocol, CODES), tmp_path / "old.sealed"
    packed = zlib.compress(drawn.model_dump_json().encode(), 9)
    head = b"rtaffect sealed allocation 1: who is in which arm. Opened, and noted, by: rtaffect unblind FILE\n"
    data = head + base64.encodebytes(hashlib.sha256(packed).digest() + packed)
    path.write_bytes(data.replace(b"\n", b"\r\n"))
    assert unseal(path)[0] == drawn, "line ends may change on the way"
    assert arm_of(path, "P03", protocol) == drawn.assigned[2]


def test_numbered_codes(shared, tmp_path):
    path = tmp_path / "a.sealed"
    result = run(allocate, shared, "--count", 3, "--prefix", "S", "--out", path)
    assert "3 participants, S01 to S03" in result.output
    assert [one.participant for one in unseal(path)[0].assigned] == ["S01", "S02", "S03"]
    assert unseal(path)[0].block_size == 4
    for both in ((), ("--count", 3, "--participants", "A,B")):
        wrong = run(allocate, shared, *both, "--out", tmp_path / "b.sealed")
        assert "give either --participants or --count" in str(wrong.exception)
    missing = run(allocate, shared, "--count", 3, "--out", tmp_path / "no/b.sealed")
    assert "cannot be written" in str(missing.exception)


def test_a_damaged_allocation_is_refused(shared, tmp_path):
    path = tmp_path / "a.sealed"
    run(allocate, shared, "--count", 12, "--out", path)
    data = path.read_bytes()
    head = data.index(b"\n") + 1
    for wrong in (data[:-30], data[: head + 40] + bytes([data[head + 40] ^ 1]) + data[head + 41 :], data[:head]):
        path.write_bytes(wrong)
        with pytest.raises(ArtifactError, match=r"is damaged \(.+\); copy it again") as caught:
            arm_of(path, "P01", read_protocol(shared))
        assert "\n" not in str(caught.value)
    path.write_bytes(b"P01 real\nP02 sham\n")
    with pytest.raises(ArtifactError, match="no sealed allocation"):
        unseal(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        unseal(tmp_path / "none.sealed")


def test_the_wrong_participant_or_protocol_is_refused(shared, tmp_path):
    path = tmp_path / "a.sealed"
    seal(draw(read_protocol(shared), CODES), path)
    with pytest.raises(SettingsError, match=r"participant P13 is not in the allocation .* 12 from P01 to P12"):
        arm_of(path, "P13", read_protocol(shared))
    changed = shared.parent / "changed.toml"
    changed.write_text(shared.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"is of the protocol 'Test' with SHA-256 .* use that very file"):
        arm_of(path, "P01", read_protocol(changed))


def test_participants_get_the_arm_and_donor_that_were_drawn(shared, tmp_path):
    path, protocol = tmp_path / "a.sealed", read_protocol(shared)
    drawn = draw(protocol, CODES, seed=3)
    seal(drawn, path)
    expected = {name: open_donor(protocol, shared.parent / name) for name in ("donors/D1", "donors/D2")}
    own = Shown(0.123456)
    for one in drawn.assigned:
        arm = choose_arm(protocol, one.participant, path, session_codes(key_beside(path))[one.participant])
        assert isinstance(arm, Alike), "who is shown their own level is neutral where the sham is"
        wanted = settled(expected[one.donor], own) if one.donor else own
        assert settled(arm, own) == wanted


def settled(arm: ArmSource, own: Shown) -> Shown:
    """Return what an arm shows 31 s into block 2, after the seconds before it."""
    return [arm.show(Place(69 + second, 2, second), own) for second in range(20, 32)][-1]


def test_without_an_allocation():
    assert isinstance(choose_arm(protocol_of(), None, None), Real)
    assert isinstance(choose_arm(protocol_of(arms=[REAL]), "P1", None), Real)
    assert isinstance(choose_arm(protocol_of(arms=[LATE]), "P1", None), Alike)
    with pytest.raises(SettingsError, match="has arms: name the participant's code"):
        choose_arm(protocol_of(arms=[LATE]), None, None)
    with pytest.raises(SettingsError, match="has 2 arms: name the allocation"):
        choose_arm(protocol_of(arms=[REAL, LATE]), "P1", None)
    with pytest.raises(SettingsError, match="has no arms to allocate"):
        choose_arm(protocol_of(), "P1", Path("a.sealed"))


def test_a_single_yoked_arm_uses_all_donors(shared):
    protocol = read_protocol(write_protocol(shared.parent / "one.toml", arms=[SHAM]))
    shown = [settled(choose_arm(protocol, f"P{n}", None), Shown(0.5)) for n in range(20)]
    assert len(set(shown)) == 2
    assert settled(choose_arm(protocol, "P3", None), Shown(0.5)) == shown[3]


def test_a_donor_that_is_missing_stops_every_participant_alike(tmp_path):
    path, file = tmp_path / "a.sealed", study(tmp_path)
    seal(draw(read_protocol(file), CODES), path)
    shutil.rmtree(tmp_path / "donors/D2")
    message = set()
    for code in CODES:
        with pytest.raises(RecordingError) as caught:
            choose_arm(read_protocol(file), code, path, session_codes(key_beside(path))[code])
        message.add(str(caught.value))
    assert len(message) == 1


def refused(folder: Path, *, blocks=BLOCKS, keys=None, arm=None, missing=(), steps=220) -> str:
    """Return why a session that ran so cannot be a donor of the tests' protocol."""
    own = protocol_of(blocks)
    write_donor(folder / "d", conduct(own, course(1, steps, missing), arm, keys=keys))
    with pytest.raises(RecordingError) as caught:
        open_donor(protocol_of(), folder / "d")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_donors_whose_blocks_differ_are_refused(tmp_path):
    longer = [BLOCKS[0], {**BLOCKS[1], "duration_s": 61}, *BLOCKS[2:]]
    assert "its block 2 lasted 61 s, block 2 'Run 1' lasts 60 s" in refused(tmp_path / "a", blocks=longer)
    kinds = [*BLOCKS[:2], {**BLOCKS[2], "kind": "listen"}, *BLOCKS[3:]]
    assert "its block 3 is of kind listen, block 3 'Break' of rest" in refused(tmp_path / "b", blocks=kinds)
    assert "it has a block 6" in refused(tmp_path / "c", blocks=[*BLOCKS, BLOCKS[2]], steps=230)
    assert "never ran block 5 'Transfer'" in refused(tmp_path / "d", steps=167)
    early = {1: ("go",), 62: ("go",), 100: ("skip",), 110: ("go",)}
    assert "its block 2 lasted 38 s" in refused(tmp_path / "e", keys=early)
    assert "a level in only 0 of the 60 s of block 2" in refused(tmp_path / "f", missing=range(60, 130))


def test_a_donor_that_saw_a_sham_itself_is_refused(tmp_path):
    assert "what it showed is not its own participant's level" in refused(tmp_path, arm=Delayed(5))


def test_where_a_donor_had_no_level_nothing_is_shown(tmp_path):
    protocol_steps = conduct(protocol_of(), course(1, 220, missing=range(90, 95)))
    donor = open_donor(protocol_of(), write_donor(tmp_path / "d", protocol_steps))
    by_second = {(m.block, m.step - m.started): m.shown.level for m in protocol_steps if m.phase == "running"}
    assert None in [by_second[2, second] for second in range(WINDOW_S, 60)]
    for second in range(60):
        level = donor.show(Place(1, 2, second), Shown(0.5)).level
        assert level == (None if by_second[2, second] is None else pytest.approx(by_second[2, second], abs=2e-6))


def test_donors_that_are_no_or_damaged_sessions(tmp_path):
    with pytest.raises(RecordingError, match="is not a session's folder"):
        open_donor(protocol_of(), tmp_path / "none")
    folder = write_donor(tmp_path / "d", conduct(protocol_of(), course(1, 220)))
    table = (folder / "moments.tsv").read_text(encoding="utf-8")
    (folder / "moments.tsv").write_text(table.replace("running\t60.000000", "running\t60.000000x"), encoding="utf-8")
    assert open_donor(protocol_of(), folder), "what is not needed may be odd"
    (folder / "moments.tsv").write_text(table.replace("feedback\tRun 1", "feedback\tRun 1\tRun 1"), encoding="utf-8")
    with pytest.raises(RecordingError, match="never ran block 2"):
        open_donor(protocol_of(), folder)
    (folder / "moments.tsv").write_text(table.replace("level", "lvl"), encoding="utf-8")
    with pytest.raises(RecordingError, match=r"moments.tsv is damaged"):
        open_donor(protocol_of(), folder)
    (folder / "moments.tsv").unlink()
    with pytest.raises(RecordingError, match=r"has no readable moments.tsv"):
        open_donor(protocol_of(), folder)


def test_a_recorded_session_is_replayed_without_its_allocation(tmp_path):
    """What was shown comes from the folder, when blocks ran from its events: nobody learns the arm."""
    protocol = protocol_of(arms=[REAL, LATE])
    steps = course(4, 240)
    first = Conductor(protocol, Delayed(7), WINDOW_S)
    protocol_steps = conduct(protocol, steps, conductor=first)
    folder = write_donor(tmp_path / "s", protocol_steps, first.events_since(0))
    session = open_session(folder)
    follow = keys_that_gave(protocol, blocks_that_ran(session))
    again = conduct(protocol, steps, conductor=Conductor(protocol, as_recorded(session), WINDOW_S, follow=follow))
    for then, now in zip(protocol_steps, again, strict=True):
        assert (then.phase, then.block, then.shown.success, then.shown.reason) == (
            now.phase, now.block, now.shown.success, now.shown.reason,
        )  # fmt: skip
        assert (then.shown.level is None) == (now.shown.level is None)
        assert then.shown.level is None or now.shown.level == pytest.approx(then.shown.level, abs=1e-6)


def opened(folder: Path) -> list[dict[str, object]]:
    return tomllib.loads((folder / "unblinded.toml").read_text(encoding="utf-8"))["opening"]


def test_unblinding_is_told_and_noted(shared, tmp_path):
    path, protocol = tmp_path / "a.sealed", read_protocol(shared)
    sha256 = seal(draw(protocol, CODES, seed=3), path)
    ran = {"allocation_sha256": sha256, "protocol_sha256": protocol.sha256}
    protocol_steps = conduct(protocol_of(), course(1, 20))
    good = write_donor(tmp_path / "s1", protocol_steps, participant="P01", **ran)
    result = run(unblind, path, good)
    assert result.exit_code == 0, result.output
    for one in unseal(path)[0].assigned:
        line = next(line for line in result.output.splitlines() if f" {one.participant} " in line)
        assert one.arm in line
        assert (one.donor or "") in line
        assert (str(good) in line) == (one.participant == "P01")
    (entry,) = opened(tmp_path)
    assert (entry["sha256"], entry["allocation"]) == (sha256, "a.sealed")
    assert entry["session"] == [{"folder": str(good), "participant": "P01", "finding": "fits"}]
    others = [
        write_donor(tmp_path / "s2", protocol_steps, participant="P02", **{**ran, "allocation_sha256": "f" * 64}),
        write_donor(tmp_path / "s3", protocol_steps, participant="P03"),
        write_donor(tmp_path / "s4", protocol_steps, participant="X9", **ran),
        write_donor(tmp_path / "s5", protocol_steps, participant="P04", **{**ran, "protocol_sha256": "f" * 64}),
    ]
    result = run(unblind, path, good, *others)
    assert result.exit_code == 1
    assert f"{others[0]}: ran with the allocation ffffffffffff" in result.output
    assert f"{others[1]}: ran without an allocation" in result.output
    assert f"{others[2]}: its participant is not in the allocation" in result.output
    assert f"{others[3]}: ran with another protocol" in result.output
    assert [len(entry["session"]) for entry in opened(tmp_path)] == [1, 5]
    run(unblind, path)
    assert len(opened(tmp_path)) == 3, "every opening is noted"


def test_what_cannot_be_noted_is_not_shown(shared, tmp_path):
    path = tmp_path / "a.sealed"
    seal(draw(read_protocol(shared), CODES), path)
    (tmp_path / "unblinded.toml").write_text("[not toml", encoding="utf-8")
    result = run(unblind, path)
    assert isinstance(result.exception, RtaffectError)
    assert "cannot be noted" in str(result.exception)
    assert "real" not in result.output
    assert "sham" not in result.output


def test_a_session_that_is_none_opens_nothing(shared, tmp_path):
    path = tmp_path / "a.sealed"
    seal(draw(read_protocol(shared), CODES), path)
    result = run(unblind, path, tmp_path / "nowhere")
    assert isinstance(result.exception, RecordingError)
    assert not result.output
    assert not (tmp_path / "unblinded.toml").exists()


def test_an_allocation_that_does_not_fit_its_protocol_is_refused(shared, tmp_path):
    protocol = read_protocol(shared)
    drawn = draw(protocol, CODES).model_dump()
    for one in drawn["assigned"]:
        one["arm"] = "third"
    seal(Allocation.model_validate(drawn), tmp_path / "a.sealed")
    with pytest.raises(SettingsError, match="does not fit the protocol 'Test': make it anew"):
        choose_arm(protocol, "P01", tmp_path / "a.sealed", session_codes(tmp_path / "a.sealed.key")["P01"])
