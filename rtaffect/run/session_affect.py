"""A session's affect: the bundle that reads it, the library of sounds, and when people rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtaffect.affect.library import SoundLibrary, open_library
from rtaffect.affect.loaded import LoadedAffect, load_affect
from rtaffect.affect.reader import AffectReader
from rtaffect.affect.settings import AffectSettings
from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.files import sha256_of
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.protocol.model import Protocol
from rtaffect.run.demo_material import AFFECT_BUNDLE, AFFECT_LIBRARY, affect_demo_folder, is_demos
from rtaffect.stream.source import Source


@dataclass(frozen=True, slots=True)
class SessionAffect:
    """What reads affect in a session; ``rest_s`` is how long people rest at first, None where a protocol says it."""

    model: LoadedAffect
    library: SoundLibrary | None
    rest_s: int | None

    @property
    def synthetic(self) -> bool:
        """Whether it was trained on people or sounds that were simulated."""
        return self.model.bundle.manifest.synthetic

    def reader(self, people: Sequence[Source], origin: float) -> AffectReader:
        """Return what reads affect of ``people``; MontageError or SettingsError if their headsets do not fit."""
        return AffectReader(self.model, people, origin, library=self.library, rest_s=self.rest_s)

    def describe(self) -> dict[str, object]:
        """Return what identifies it, for ``session.toml``."""
        return self.model.describe() | {
            "affect_rest_s": self.rest_s,
            "affect_library_sha256": self._library_sha256,
        }

    @property
    def _library_sha256(self) -> str | None:
        if self.library is None:
            return None
        return sha256_of("\n".join(self.library.names) + sha256_of(self.library.directions.tobytes()))

    def changed(self, ran: Mapping[str, object]) -> list[str]:
        """Return what is another one than when a session ran of which ``ran`` tells, in words."""
        now, said = self.describe(), []
        for key, what in (
            ("affect_sha256", "the bundle of affect"),
            ("affect_library_sha256", "the library of sounds"),
        ):
            if ran.get(key) is not None and now[key] is not None and ran[key] != now[key]:
                said.append(f"{what} is another one than when the session ran: its results will differ")
        return said


def load_session_affect(
    analysis: AnalysisPlan,
    protocol: Protocol | None,
    featurizer: Featurizer | None,
    progress: Progress,
    note: Callable[[str], None],
) -> SessionAffect | None:
    """Return what reads affect by a session's plan; None where that asks for none.

    Parameters
    ----------
    analysis
        The plan's.
    protocol
        The session's, whose blocks of rest are people's rest.
    featurizer
        That of the session's predictions, which may be the bundle's, too.
    progress
        Is told what is being done.
    note
        Is told what the operator should know, as which sounds of the library are left out.

    Raises
    ------
    RtaffectError
        If the bundle or the library cannot be used, or nothing says when people rest.
    """
    if analysis.affect is None:
        return None
    folder, sounds = analysis.affect, analysis.library
    if is_demos(folder, "affect"):
        made = affect_demo_folder(analysis.featurizer, progress)
        folder, sounds = made / AFFECT_BUNDLE, sounds or made / AFFECT_LIBRARY
    progress("loading the bundle of affect")
    model = load_affect(folder, progress, analysis.threads, _featurizer(analysis.featurizer, featurizer))
    rest_s = rest_of(model.bundle.manifest.settings, analysis, protocol)
    library = open_library(sounds, model, progress, note) if sounds is not None else None
    return SessionAffect(model, library, rest_s)


def _featurizer(path: Path | None, loaded: Featurizer | None) -> Featurizer | Path | None:
    return loaded if loaded is not None else path


def rest_of(settings: AffectSettings, analysis: AnalysisPlan, protocol: Protocol | None) -> int | None:
    """Return how long people rest at first, s; None where the protocol says when, or the bundle needs no rest.

    Raises
    ------
    SettingsError
        If the bundle with these ``settings`` needs rest and nothing says when that is, or it needs none.
    """
    given = analysis.affect_rest_s
    name = setting("affect", str(analysis.affect))
    if settings.baseline == "none":
        if given is not None:
            raise SettingsError(
                f"{setting('affect-rest', given)} says how long people rest, and {name} does not subtract their rest",
                remedy="leave it out",
                field="affect-rest",
            )
        return None
    if given is not None:
        return given
    if protocol is None or not any(block.kind == "rest" for block in protocol.blocks):
        where = "there is no protocol" if protocol is None else f"protocol '{protocol.name}' has no block of rest"
        raise SettingsError(
            f"{name} subtracts each person's own rest, and nothing says when people rest: {where}",
            remedy=f"give {setting('affect-rest', settings.baseline_s)} where people rest so many first seconds, or "
            "a protocol with a block of kind rest before what is to be read",
            field="affect-rest",
        )
    return None
