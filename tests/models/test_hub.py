"""Checkpoints by name: which commit is taken, from where, and what is said when there is no network."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from models import catalogue
from models.checkpoint import open_checkpoint
from tests.models.test_checkpoint import COMMIT, quiet, refusal, save, seeded

#: The HTTP library of this version of huggingface_hub.
http = importlib.import_module(errors.HTTPError.__module__.split(".")[0])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint, which the fake hub gives for every name."""
    return save(seeded("wav2vec2"), tmp_path_factory.mktemp("original"))


class FakeHub:
    """The hub's answers, for the real huggingface_hub's functions; ``branches`` maps a revision to (commit, files)."""

    def __init__(self, branches: dict[str | None, tuple[str, list[str]]], discussions: list[SimpleNamespace]) -> None:
        self.branches, self.discussions = branches, discussions
        self.asked: list[str | None] = []
        self.down: Exception | None = None

    def model_info(self, name: str, revision: str | None, timeout: float) -> SimpleNamespace:
        self.asked.append(revision)
        if self.down:
            raise self.down
        commit, files = self.branches[revision]
        return SimpleNamespace(sha=commit, siblings=[SimpleNamespace(rfilename=file) for file in files])

    def get_repo_discussions(self, name: str) -> list[SimpleNamespace]:
        return self.discussions


SAFE, PICKLED = ["config.json", "model.safetensors"], ["config.json", "pytorch_model.bin"]


@pytest.fixture
def install(monkeypatch, tmp_path, original):
    """Put a fake hub in place whose downloads land in a cache laid out like the real one."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def download(name: str, revision: str, **options: object) -> str:
        assert "*.bin" not in options["allow_patterns"]
        place = tmp_path / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / revision
        place.mkdir(parents=True)
        for file in original.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
        return str(place)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    def put(branches: dict[str | None, tuple[str, list[str]]], *discussions: SimpleNamespace) -> FakeHub:
        fake = FakeHub(branches, list(discussions))
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
        return fake

    return put


def conversion(author: str) -> SimpleNamespace:
    title = "Adding `safetensors` variant of this model"
    return SimpleNamespace(
        is_pull_request=True, author=author, title=title, status="open", git_reference="refs/pr/2", num=2
    )


class TestHub:
    def test_a_known_name_is_taken_at_its_pinned_commit_and_then_from_the_cache(self, install):
        known = catalogue.find("wavlm-large")
        fake = install({known.revision: (known.revision, SAFE)})
        for name in ("wavlm-large", "microsoft/wavlm-large"):
            checkpoint = open_checkpoint(name, progress=quiet)
            assert (checkpoint.name, checkpoint.source) == ("wavlm-large", "microsoft/wavlm-large")
            assert (checkpoint.revision, checkpoint.licence) == (known.revision, known.licence)
        assert fake.asked == [known.revision]

    def test_an_unknown_name_is_taken_at_the_newest_commit_which_is_recorded(self, install):
        install({None: (COMMIT, SAFE)})
        assert open_checkpoint("someone/model", progress=quiet).revision == COMMIT

    def test_an_asked_revision_is_kept_to(self, install):
        install({"v2": (COMMIT, SAFE), "v1": (COMMIT, PICKLED)}, conversion("SFconvertbot"))
        assert open_checkpoint("someone/model", "v2", quiet).revision == COMMIT
        refusal("someone/model", "pytorch_model.bin", "pickle", revision="v1")

    def test_the_hub_s_own_conversion_is_taken_where_the_commit_has_none(self, install):
        pinned = catalogue.find("wav2vec2-base").revision
        install({pinned: (pinned, PICKLED), "refs/pr/2": (COMMIT, SAFE)}, conversion("SFconvertbot"))
        message: list[str] = []
        assert open_checkpoint("wav2vec2-base", progress=message.append).revision == COMMIT
        assert "refs/pr/2" in message[0]
        assert COMMIT in message[1]

    def test_a_conversion_by_anyone_else_is_not(self, install):
        pinned = catalogue.find("wav2vec2-base").revision
        install({pinned: (pinned, PICKLED), "refs/pr/2": (COMMIT, SAFE)}, conversion("someone"))
        refusal("wav2vec2-base", "pytorch_model.bin", "pickle", "safe_serialization")

    def test_a_known_conversion_branch_is_taken(self, install):
        known = catalogue.find("chinese-wav2vec2-base")
        install({known.revision: (known.revision, PICKLED), known.conversion: (COMMIT, SAFE)})
        assert open_checkpoint(known.name, progress=quiet).revision == COMMIT

    @pytest.mark.parametrize("down", [OSError("no route"), http.ConnectError("refused"), errors.OfflineModeIsEnabled()])
    def test_without_network(self, install, down):
        fake = install({None: (COMMIT, SAFE)})
        fake.down = down
        command = "hf download someone/model --local-dir FOLDER"
        refusal("someone/model", "not on this computer", command, "give FOLDER")
        refusal("wavlm-large", f"--revision {catalogue.find('wavlm-large').revision}")
        refusal("wav2vec2-base", "rtaffect export --model wav2vec2-base", "save_pretrained")
        refusal("someone/model", "--revision v1", revision="v1")

    def test_without_network_the_one_that_is_cached_is_taken(self, install):
        fake = install({None: (COMMIT, SAFE)})
        open_checkpoint("someone/model", progress=quiet)
        fake.down = OSError("no route")
        message: list[str] = []
        assert open_checkpoint("someone/model", progress=message.append).revision == COMMIT
        assert COMMIT in message[0]
        refusal("someone/model", "not on this computer", revision="v1")

    @pytest.mark.parametrize(
        ("kind", "part"),
        [
            (errors.RepositoryNotFoundError, "neither a folder here nor a public name"),
            (errors.GatedRepoError, "accept the terms"),
            (errors.RevisionNotFoundError, "no such revision"),
        ],
    )
    def test_answers_of_the_hub(self, install, kind, part):
        answer = http.Response(404, request=http.Request("GET", "https://huggingface.co/x"))
        install({}).down = kind("said\nin lines", response=answer)
        refusal("someone/model", "someone/model", part, revision="v9")

    def test_a_name_that_cannot_be_one(self, install):
        install({}).down = errors.HFValidationError("Repo id must ...")
        refusal("some one/model", "not a name on the hub", "OWNER/NAME")


def test_a_real_hub_that_does_not_answer_fails_fast_and_in_one_line(tmp_path):
    code = "import sys; from models.checkpoint import open_checkpoint as o; o('wavlm-large')"
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert time.monotonic() - started < 20
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("rtaffect.common.errors.ArtifactError: microsoft/wavlm-large: not on this computer")
    assert "hf download microsoft/wavlm-large" in last
