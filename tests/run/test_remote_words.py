"""The remote control's words: names of sessions, answers, what is asked and what becomes of it; no session runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.plan.programs_plan import Address
from rtaffect.run.remote_desk import RemoteDesk
from rtaffect.run.remote_names import Naming
from rtaffect.run.remote_server import TOKEN_VARIABLE, read_token
from rtaffect.run.remote_talk import MOST_LINES, MOST_UNKNOWN, Talk
from tests.support.waiting import wait_for

#: The line of LabRecorder's README.
README_LINE = (
    r"filename {root:C:\Data\} {template:exp%n\%p_block_%b.xdf} {run:2} {participant:P003} {task:MemoryGuided}"
)


class TestNames:
    def named(self, root: Path, *lines: str, planned: str | None = None) -> str:
        naming = Naming()
        for line in lines:
            naming = naming.with_line(line)
        return naming.folder(root, planned).relative_to(root).as_posix()

    def test_templates_are_those_of_labrecorder(self, tmp_path: Path) -> None:
        assert self.named(tmp_path, README_LINE) == "exp002/P003_block_MemoryGuided"
        bids = "sub-P003/ses-S001/eeg/sub-P003_ses-S001_task-rest_run-001_eeg"
        assert self.named(tmp_path, "filename {participant:P003}{task:rest}") == bids
        # What was said before holds on, as in its fields.
        assert self.named(tmp_path, "filename {participant:P1}", "filename {TASK:b} {acquisition:x}") == (
            "sub-P1/ses-S001/eeg/sub-P1_ses-S001_task-b_acq-x_run-001_eeg"
        )
        assert self.named(tmp_path, "filename {template:%P.XDF} {participant:x}") == "x"
        assert self.named(tmp_path, planned="P7").endswith("-P7")

    def test_no_name_is_given_twice(self, tmp_path: Path) -> None:
        for line, names in {
            "filename {template:a/run%n}": ["a/run001", "a/run002"],
            "filename {template:a/run%n} {run:7}": ["a/run007", "a/run007-2", "a/run007-3"],
            "filename {template:b}": ["b", "b-2"],
        }.items():
            for name in names:
                assert self.named(tmp_path, line) == name
                (tmp_path / name).mkdir(parents=True)

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("filename {template:../../%p} {participant:../../etc}", "_.._etc"),
            ("filename {template:/abs/x}", "abs/x"),
            (r"filename {template:C:\x\..\y.xdf}", "C_/x/y"),
            ("filename {template:...}", "session"),
            ("filename {template:%p/%p} {participant:a/b}", "a_b/a_b"),
            ("filename {template:%p} {participant:}", "file"),
            ("filename {template:" + "d/" * 50 + "x}", "d/" * 7 + "x"),
            ("filename {template:n\x1b[31m\t\u202eb}", "n_[31m _b"),
        ],
    )
    def test_nothing_leads_out_of_the_folder(self, tmp_path: Path, line: str, name: str) -> None:
        assert self.named(tmp_path, line) == name

    def test_a_link_and_a_root_elsewhere_are_not_followed(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        (root / "in").mkdir(parents=True)
        (root / "out").symlink_to(tmp_path)
        with pytest.raises(SettingsError, match="leads out of"):
            self.named(root, "filename {template:out/x}")
        inside = Naming().with_line(f"filename {{root:{root}/in}} {{template:x}}")
        assert (inside.folder(root, None), inside.notes(root)) == (root / "in" / "x", [])
        for place in (str(tmp_path), "../..", "C:\\Data\\"):
            elsewhere = Naming().with_line(f"filename {{root:{place}}} {{template:x}}")
            found = elsewhere.folder(root, None)
            assert found.resolve().is_relative_to(root)
        assert "is not in" in Naming().with_line(f"filename {{root:{tmp_path}}}").notes(root)[0]
        assert Naming().with_line(f"filename {{root:{root}}}").notes(root) == []

    def test_codes_are_letters_and_digits_and_unknown_options_are_named(self, tmp_path: Path) -> None:
        naming = Naming().with_line("filename {participant:P-01}")
        assert naming.participant("P00") is None
        assert "not letters and digits" in naming.notes(tmp_path)[0]
        assert Naming().with_line("filename {participant:P01}").participant("P00") == "P01"
        assert Naming().participant("P00") == "P00"
        for line, words in (("filename {subject:1}", "'subject'"), ("filename P01", "names nothing")):
            with pytest.raises(SettingsError, match=words):
                Naming().with_line(line)


class FakeDesk:
    """Notes what it is asked, and refuses to start."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.said = "ready"

    def __getattr__(self, name: str):
        def ask(*arguments: object) -> dict[str, object]:
            self.asked.append((name, *arguments))
            if name == "start":
                raise RtaffectError("no headset\nis there")
            return {"ok": True, "state": self.said} if name == "status" else {"told": name}

        return ask


class TestTalk:
    def test_labrecorders_words_are_answered_as_it_does(self) -> None:
        desk = FakeDesk()
        talk = Talk(desk)
        lines = [b"select all", b"select none\r", README_LINE.encode(), b"update", b"stop\r"]
        assert [talk.answer(line, 0.0) for line in lines] == [("OK", False)] * 5
        assert [each[0] for each in desk.asked] == ["name", "look", "stop"]
        assert desk.asked[0] == ("name", README_LINE)
        # What is refused does not look like what is done.
        assert talk.answer(b"start", 0.0) == ("ERROR: no headset is there\n", False)

    def test_own_words_are_answered_by_one_object_on_a_line(self) -> None:
        desk = FakeDesk()
        talk = Talk(desk)
        assert talk.answer(b"select all", 0.0).text == "OK"
        reply = talk.answer("mark  Größe\x07 1 ".encode(), 3.5)
        assert reply.text.startswith("\n{"), "what follows OK begins on a new line"
        assert desk.asked == [("mark", "Größe\N{REPLACEMENT CHARACTER} 1", 3.5)]
        for what in ("next", "pause", "resume", "repeat"):
            assert json.loads(talk.answer(f"block {what}".encode(), 4.0).text)["did"] == f"block {what}"
        assert json.loads(talk.answer(b"note she coughed", 4.5).text)["did"] == "note"
        assert desk.asked[1:] == [
            *(("block", each) for each in ("next", "pause", "resume", "repeat")),
            ("note", "she coughed", 4.5),
        ]
        lines = [b"status", b"block next", b"json", b"start", b"stop", b"block last", b"\xff\xfe"]
        answers = [json.loads(talk.answer(line, 4.0).text) for line in lines]
        assert [each["ok"] for each in answers] == [True, True, True, False, True, False, False]
        assert (answers[0]["state"], answers[3]["error"]) == ("ready", "no headset is there")
        assert "expected one of select" in answers[5]["error"]

    def test_marks_that_flood_in_are_refused_and_nonsense_ends_it(self) -> None:
        desk = FakeDesk()
        talk = Talk(desk)
        replies = [talk.answer(f"mark {n}".encode(), 1.0 + n / 1000) for n in range(MOST_LINES + 20)]
        assert len(desk.asked) == MOST_LINES
        assert "this mark is not taken" in replies[-1].text
        assert talk.answer(b"mark later", 9.0).text.startswith('{"ok": true')
        replies = [talk.answer(b"GET things", 20.0 + n) for n in range(MOST_UNKNOWN)]
        assert [each.ends for each in replies] == [False] * (MOST_UNKNOWN - 1) + [True]

    def test_a_web_page_is_not_listened_to(self) -> None:
        desk = FakeDesk()
        assert Talk(desk).answer(b"POST / HTTP/1.1\r", 0.0) == ("", True)
        assert not desk.asked

    def test_the_first_line_has_to_have_the_token(self) -> None:
        desk, token = FakeDesk(), "0123456789abcdef"
        for wrong in (b"start", b"token", b"token x", b"token 0123456789abcdeF", "token é".encode()):
            reply = Talk(desk, token).answer(wrong, 0.0)
            assert reply.ends
            assert token not in reply.text
        talk = Talk(desk, token)
        assert talk.answer(f"token {token}\r".encode(), 0.0) == ('{"ok": true}\n', False)
        assert talk.answer(b"select all", 0.0).text == "OK"
        assert not desk.asked


class TestToken:
    def test_it_is_needed_where_others_can_connect(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
        here, everywhere = Address.parse("22345"), Address.parse("0.0.0.0:22345")
        assert read_token(here, None) == ""
        for address in ("0.0.0.0:1", "192.168.1.20:1", "lab.example:1", "[::]:1"):
            with pytest.raises(SettingsError, match="other computers could start and stop sessions; give a token"):
                read_token(Address.parse(address), None)
        assert all(Address.parse(text).is_here for text in ("127.0.0.2:1", "localhost:1", "[::1]:1"))
        file = tmp_path / "token"
        file.write_text("short\n")
        with pytest.raises(SettingsError, match="has 5 letters"):
            read_token(everywhere, file)
        file.write_text("  a-long-one-of-a-lab \nrest")
        assert read_token(everywhere, file) == "a-long-one-of-a-lab"
        monkeypatch.setenv(TOKEN_VARIABLE, "one-from-the-environment")
        assert read_token(everywhere, None) == "one-from-the-environment"
        assert read_token(here, None) == "one-from-the-environment"
        with pytest.raises(SettingsError, match="cannot be read"):
            read_token(everywhere, tmp_path / "none")


class FakeView:
    """A session that does nothing."""

    def __init__(self) -> None:
        self.stopped, self.begun = False, {"folder": "here"}

    def stop(self) -> None:
        self.stopped = True

    def status(self) -> dict[str, object]:
        return {"step": 3}


class Asking(threading.Thread):
    """Asks, and keeps the answer, or why it was refused."""

    def __init__(self, ask) -> None:
        super().__init__(daemon=True)
        self.answer: object = None
        self._ask = ask
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._ask()
        except SettingsError as error:
            self.answer = str(error)

    def answered(self) -> object:
        self.join(10.0)
        assert not self.is_alive()
        return self.answer


class TestDesk:
    @pytest.fixture
    def desk(self, tmp_path: Path) -> RemoteDesk:
        return RemoteDesk(tmp_path, "P01")

    @staticmethod
    def do(desk: RemoteDesk) -> str:
        return desk.wait(lambda: False, lambda: False)

    def test_start_and_stop_wait_for_what_becomes_of_them(self, desk: RemoteDesk) -> None:
        assert desk.stop() == {"note": "no session ran"}
        starting = Asking(desk.start)
        desk.ready(["cap"])
        assert self.do(desk) == "start"
        assert starting.is_alive()
        assert desk.status()["state"] == "starting"
        view = FakeView()
        desk.began(view)
        assert starting.answered() == {"folder": "here"}
        assert desk.status() == {
            "ok": True, "state": "running", "headsets": ["cap"], "sessions": 0, "step": 3,
        }  # fmt: skip
        assert Asking(desk.start).answered() == "a session runs already, or is being started; send stop before"
        stopping = Asking(desk.stop)
        wait_for(lambda: view.stopped)
        assert stopping.is_alive()
        # The next start waits for its turn.
        again = Asking(desk.start)
        assert desk.ended({"folder": "here", "outcome": "stopped"})
        assert stopping.answered() == {"folder": "here", "outcome": "stopped"}
        desk.ready(["cap"])
        assert self.do(desk) == "start"
        desk.close()
        assert again.answered() == "the program is ending"

    def test_an_end_that_no_program_asked_for_is_told_apart(self, desk: RemoteDesk) -> None:
        desk.ready([])
        desk.began(FakeView())
        assert not desk.ended({"outcome": "completed"})
        assert desk.status()["last"] == {"outcome": "completed"}
        with pytest.raises(SettingsError, match="no session runs"):
            desk.mark("x", 0.0)

    def test_what_is_missing_is_told_and_looked_for_again(self, desk: RemoteDesk) -> None:
        starting = Asking(desk.start)
        wait_for(lambda: desk._start is not None)
        desk.not_ready("no headset is there")
        assert starting.answered() == "no headset is there"
        assert desk.status()["words"] == "no headset is there"
        desk.look()
        assert self.do(desk) == "look"
        starting = Asking(desk.start)
        assert self.do(desk) == "start"
        # Not before it is prepared.
        assert desk.status()["state"] == "not ready"
        desk.failed("still nothing", again=True)
        assert starting.is_alive()
        desk.failed("still nothing", again=False)
        assert starting.answered() == "still nothing"

    def test_a_start_that_waits_can_be_taken_back_and_one_can_be_asked_beforehand(self, desk: RemoteDesk) -> None:
        starting = Asking(desk.start)
        wait_for(lambda: desk._start is not None)
        assert desk.stop() == {"note": "the session had not begun"}
        assert starting.answered() == "it was stopped before it began"
        desk.begin_at_once()
        desk.ready([])
        assert self.do(desk) == "start"

    def test_names_are_taken_and_another_participant_is_prepared_for(self, desk: RemoteDesk) -> None:
        assert desk.participant == "P01"
        told = desk.name("filename {participant:P02} {template:%p/x}")
        assert told == {"folder": os.fspath(desk.root / "P02" / "x"), "notes": []}
        assert desk.participant == "P02"
        desk.ready([])
        assert desk.wait(lambda: False, lambda: desk.participant != "P01") == "look"
        assert desk.wait(lambda: True, lambda: False) == "end"
