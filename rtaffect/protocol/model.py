"""A protocol as its TOML says it: blocks, the feedback's rule, arms. Frozen and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AllowInfNan, Field, PrivateAttr, Strict, field_validator, model_validator

from rtaffect.common.settings import Frozen
from rtaffect.protocol.mark import Mark, wrong_marks
from rtaffect.protocol.protocol_step import BlockKind

#: From the operator's key, or the session's zero, to a block that plays a sound, s: the device is made ready meanwhile.
LEAD_S: Final = 3
#: Fewest trusted values that make a scale.
LEAST_VALUES: Final = 30
#: The row that stands for the mean over rows.
MEAN: Final = "mean"

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
_LINE = r"^[^\x00-\x1f\x7f]+$"
_SCALE_OF = {
    "low_percentile": ("baseline", "null", "adaptive"),
    "high_percentile": ("baseline", "null", "adaptive"),
    "low": ("fixed",),
    "high": ("fixed",),
    "threshold": ("baseline", "fixed"),
    "success_rate": ("null", "adaptive"),
    "adapt_s": ("adaptive",),
    "learn_s": ("baseline",),
}


def _refuse(wrong: list[str]) -> None:
    """Raise what is wrong, one line each."""
    if wrong:
        raise ValueError("\n".join(wrong))


def _row_names(rows: Sequence[str]) -> bool:
    """Return whether these can be the rows of a rule."""
    return bool(rows) and len(set(rows)) == len(rows) and not (MEAN in rows and len(rows) > 1)


class FeedbackRule(Frozen):
    """How a step's synchrony, or a measure, becomes what the participant is shown."""

    value: Literal["observed", "predicted", "difference", "measure", "valence", "arousal"] = Field(
        "observed",
        description="Which synchrony; difference is observed less predicted; or a measure of the session; or affect",
    )
    source: Literal["eeg", "sound", "both"] = Field(
        "eeg", description="With value = valence or arousal: whether from the EEG, the sound, or both"
    )
    element: Literal["mix", "voice", "background"] = Field(
        "mix", description="With value = predicted or difference: of which element of the sound the prediction is"
    )
    measure: str | None = Field(
        None, min_length=1, max_length=200, description="With value = measure: its name, as in plv 8-12 Hz"
    )
    rows: tuple[str, ...] = Field(
        (MEAN,), description="Names of the rows that are averaged, or mean alone: all that count"
    )
    smoothing_s: Whole = Field(5, ge=1, le=3600, description="The value is the mean of the last so many whole seconds")
    scale: Literal["baseline", "null", "adaptive", "fixed"] = Field(
        "baseline",
        description="What level 0 and 1 are: percentiles of the own baseline or of the null band, a moving threshold, "
        "or numbers",
    )
    low_percentile: Number = Field(
        10.0, ge=0, le=100, description="Percentile of the baseline's values, or of noise, that is level 0"
    )
    high_percentile: Number = Field(
        90.0, ge=0, le=100, description="Percentile of the baseline's values, or of noise, that is level 1"
    )
    low: Number | None = Field(None, description="With scale = fixed: the value that is level 0")
    high: Number | None = Field(None, description="With scale = fixed: the value that is level 1")
    threshold: Number | None = Field(
        None, description="Value from which on it is success; default: the baseline's median, or midway of low and high"
    )
    success_rate: Number | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the steps that are to be success with scale = adaptive, default 0.7, or that are by "
        "chance with scale = null, default 0.5",
    )
    adapt_s: Whole = Field(
        60, ge=10, le=86_400, description="With scale = adaptive: seconds within which the threshold follows"
    )
    learn_s: Whole = Field(
        0,
        ge=0,
        le=86_400,
        description="With scale = baseline: so many values of feedback go on making the scale, as if of the baseline",
    )
    gain: Number = Field(1.0, gt=0, le=1000, description="Steepness about the middle level")
    show: Literal["ring", "bar", "tone"] = Field("ring", description="What the participant sees or hears")

    @property
    def rate(self) -> float:
        """Share of the steps that are to be success, or that are by chance."""
        return self.success_rate if self.success_rate is not None else 0.7 if self.scale == "adaptive" else 0.5

    @property
    def words(self) -> str:
        """Which value it is, in words."""
        if self.measure is not None:
            return f"measure {self.measure}"
        if self.value in ("valence", "arousal"):
            return f"{self.value} from {'both EEG and sound' if self.source == 'both' else self.source}"
        return f"{self.value} synchrony" + ("" if self.element == "mix" else f" by the {self.element}")

    @model_validator(mode="after")
    def _goes_together(self) -> FeedbackRule:
        wrong = [
            f"{name} belongs to scale = {' or '.join(scales)}, not to {self.scale}: leave it out"
            for name, scales in _SCALE_OF.items()
            if name in self.model_fields_set and self.scale not in scales
        ]
        wrong += self._of_the_value()
        if self.element != "mix" and self.value not in ("predicted", "difference"):
            wrong.append(
                f"value = {self.value} and element = {self.element}: an element goes with value = predicted or "
                "difference"
            )
        if self.scale == "fixed" and not (self.low is not None and self.high is not None and self.low < self.high):
            wrong.append(f"low = {self.low} and high = {self.high}: scale = fixed needs both, low below high")
        if self.scale == "null":
            wrong += self._of_the_null()
        if not self.low_percentile < self.high_percentile:
            wrong.append(
                f"low_percentile = {self.low_percentile:g} must be below high_percentile = {self.high_percentile:g}"
            )
        if not _row_names(self.rows):
            wrong.append(f"rows = {list(self.rows)}: each name once, and '{MEAN}' only alone")
        _refuse(wrong)
        return self

    def _of_the_null(self) -> Iterator[str]:
        """Yield what does not go with the null band."""
        if self.value != "observed":
            yield (
                f"scale = null and value = {self.value}: only observed synchrony has a null band; choose baseline, "
                "adaptive or fixed"
            )
        if len(self.rows) > 1:
            yield f"rows = {list(self.rows)}: scale = null needs one row, or '{MEAN}', whose null band is known"
        if self.low_percentile <= 0 or self.high_percentile >= 100:
            yield "low_percentile and high_percentile of noise, scale = null: expected more than 0 and less than 100"

    def _of_the_value(self) -> Iterator[str]:
        """Yield what does not go with the value."""
        if (self.value == "measure") != (self.measure is not None):
            yield f"value = {self.value} and measure = {self.measure}: a measure's name goes with value = measure"
        affect = self.value in ("valence", "arousal")
        if "source" in self.model_fields_set and not affect:
            yield f"source belongs to value = valence or arousal, not to {self.value}: leave it out"
        if affect and self.rows != (MEAN,):
            yield f"rows = {list(self.rows)}: {self.value} has no rows; leave them out"


class Block(Frozen):
    """One stretch of the session."""

    kind: BlockKind = Field(description="baseline, rest, listen, feedback or transfer")
    name: str = Field(min_length=1, max_length=80, pattern=_LINE, description="What it is called; names may repeat")
    stimulus: Path | None = Field(None, description="Sound file to play, relative to the protocol's folder")
    film: Path | None = Field(
        None, description="Film to show with its sound, in place of stimulus; needs the participant's view"
    )
    duration_s: Whole | None = Field(
        None,
        ge=LEAD_S,
        le=86_400,
        description="Length in whole seconds; default: that of the sound or film, rounded up",
    )
    start: Literal["operator", "auto"] = Field(
        "operator", description="Whether it waits for the operator's key or follows the block before it at once"
    )
    instruction: str = Field("", description="What the participant reads")
    practice: Annotated[bool, Strict()] = Field(
        False, description="Whether it is for practice: its values make no scale and count in no result"
    )
    _number: int = PrivateAttr(0)
    _seconds: int | None = PrivateAttr(None)
    _sound: Path | None = PrivateAttr(None)
    _picture_s: float = PrivateAttr(0.0)

    @model_validator(mode="after")
    def _goes_together(self) -> Block:
        if self.kind == "rest" and self.stimulus is not None:
            _refuse(["stimulus: a block of rest plays nothing; leave it out or choose another kind"])
        if self.film is not None and self.kind == "rest":
            _refuse(["film: a block of rest shows nothing; leave it out or choose another kind"])
        if self.film is not None and self.stimulus is not None:
            _refuse(["film and stimulus: a film has a sound of its own; leave one of them out"])
        if self.stimulus is None and self.film is None and self.duration_s is None:
            other = "" if self.kind == "rest" else ", stimulus or film"
            _refuse([f"give duration_s{other}: nothing says how long it lasts"])
        return self

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self._number

    @property
    def seconds(self) -> int | None:
        """How long it lasts, s; None without an end."""
        return self._seconds if self._seconds is not None else self.duration_s

    @property
    def sound(self) -> Path | None:
        """The sound file that it plays, or the film whose sound that is, absolute; None for none."""
        return self._sound

    @property
    def picture_s(self) -> float:
        """How long the picture of its film lasts, s; 0 without one."""
        return self._picture_s

    @property
    def picture(self) -> Path | None:
        """The film that it shows, absolute; None for none."""
        return self._sound if self.film is not None else None


class Arm(Frozen):
    """A group of participants, by what they are shown in blocks of feedback."""

    name: str = Field(max_length=40, pattern=r"^[A-Za-z0-9_-]+$", description="What it is called; no name twice")
    feedback: Literal["real", "yoked", "delayed"] = Field(
        description="Their own level, that of another recorded session (sham), or their own of some time ago"
    )
    donors: tuple[Path, ...] = Field(
        (), description="With feedback = yoked: session folders, relative to the protocol's folder"
    )
    delay_s: Whole | None = Field(
        None, ge=1, le=86_400, description="With feedback = delayed: how long ago, whole seconds"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Arm:
        wrong = []
        if (self.feedback == "yoked") != bool(self.donors):
            wrong.append(
                "donors: a yoked arm needs at least one session folder to take its feedback from"
                if self.feedback == "yoked"
                else f"donors belong to feedback = yoked, not to {self.feedback}: leave them out"
            )
        if (self.feedback == "delayed") != (self.delay_s is not None):
            wrong.append(
                "delay_s: a delayed arm needs a positive whole number of seconds"
                if self.feedback == "delayed"
                else f"delay_s belongs to feedback = delayed, not to {self.feedback}: leave it out"
            )
        _refuse(wrong)
        return self


class Protocol(Frozen):
    """All that a protocol's file says.

    ``path`` and ``sha256`` are of the file; None and empty where there is none. Paths in it are relative to its folder.
    """

    format: Literal[1, 2] = Field(
        description="Version of this format; from 2 on the baseline's scale knows the null band"
    )
    name: str = Field(min_length=1, max_length=80, pattern=_LINE, description="What the protocol is called")
    description: str = Field("", description="What it is for")
    study: dict[str, str | Whole | Number | bool] = Field(
        {}, description="Texts for the report, as preregistration or sample_size"
    )
    feedback: FeedbackRule = Field(FeedbackRule(), description="The rule; needed for blocks of feedback and transfer")
    blocks: tuple[Block, ...] = Field(alias="block", description="One [[block]] for each, in order")
    marks: tuple[Mark, ...] = Field((), alias="mark", description="One [[mark]] for each key that marks something")
    arms: tuple[Arm, ...] = Field((), alias="arm", description="One [[arm]] for each; without any: the own level")
    _path: Path | None = PrivateAttr(None)
    _sha256: str = PrivateAttr("")

    @field_validator("format", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        """Return a whole number as it is; true and 1.0, which equal one, are none."""
        return value if type(value) is int else repr(value)

    @model_validator(mode="after")
    def _goes_together(self) -> Protocol:
        wrong = [] if self.blocks else ["block: there is none; add at least one [[block]]"]
        if "feedback" not in self.model_fields_set and (shown := next(self._of("feedback", "transfer"), None)):
            wrong.append(f"[feedback] is missing: block '{shown.name}' ({shown.kind}) has no rule")
        wrong += [*wrong_marks(self.marks), *self._without_baseline()]
        names = [arm.name for arm in self.arms]
        wrong += [f"arm '{name}' is there twice: name each once" for name in _twice(names)]
        _refuse(wrong)
        for number, block in enumerate(self.blocks, 1):
            block._number = number
        return self

    def _without_baseline(self) -> Iterator[str]:
        """Yield which block's scale no baseline makes: one of practice makes that of practice alone."""
        scaled = [*self._of("feedback", "transfer")] if self.feedback.scale == "baseline" else []
        firsts = (next((b for b in scaled if b.practice == practice), None) for practice in (True, False))
        for first in (block for block in firsts if block is not None and not self._has_baseline(block)):
            more = " that is not for practice" if any(b.kind == "baseline" and b.practice for b in self.blocks) else ""
            yield (
                f"feedback.scale = baseline needs a block of kind baseline{more} before '{first.name}' ({first.kind}): "
                f"add one, or choose scale = {'null, ' * self._may_be_null}adaptive or fixed"
            )

    @property
    def _may_be_null(self) -> bool:
        return self.feedback.value == "observed" and len(self.feedback.rows) == 1

    def _has_baseline(self, scaled: Block) -> bool:
        """Return whether a baseline before a block makes its scale."""
        for block in self.blocks:
            if block is scaled:
                return False
            if block.kind == "baseline" and (scaled.practice or not block.practice):
                return True
        return False

    def _of(self, *kinds: BlockKind) -> Iterator[Block]:
        return (block for block in self.blocks if block.kind in kinds)

    @property
    def path(self) -> Path | None:
        """Its file."""
        return self._path

    @property
    def sha256(self) -> str:
        """SHA-256 of its file's bytes, 64 hexadecimal digits."""
        return self._sha256

    @property
    def knows_noise(self) -> bool:
        """Whether its rule's scale is held against the null band."""
        rule = self.feedback
        return rule.value == "observed" and (rule.scale == "null" or (rule.scale == "baseline" and self.format > 1))

    @property
    def lead_s(self) -> int:
        """When the first block begins by itself, if it does, s."""
        return LEAD_S if self.blocks[0].seconds is not None else 0

    @property
    def seconds(self) -> int | None:
        """How long its blocks last together, s, without the waiting between them; None without an end."""
        lengths = [block.seconds for block in self.blocks]
        return None if None in lengths else sum(length for length in lengths if length is not None)

    @property
    def shows_film(self) -> bool:
        """Whether one of its blocks is a film."""
        return any(block.film is not None for block in self.blocks)

    @property
    def delay_s(self) -> int:
        """The longest delay of its arms, s."""
        return max((arm.delay_s or 0 for arm in self.arms), default=0)

    @property
    def settle_s(self) -> int:
        """How much later than with the own level alone feedback begins in each block, the same in all arms, s.

        The longest delay, and until the smoothing is whole in each arm where one of them is a sham.
        """
        sham = any(arm.feedback != "real" for arm in self.arms)
        return self.delay_s + (self.feedback.smoothing_s - 1 if sham else 0)

    @property
    def donors(self) -> tuple[Path, ...]:
        """All session folders that its yoked arms name, as they are named, each once."""
        return tuple(dict.fromkeys(donor for arm in self.arms for donor in arm.donors))

    def located(self, path: Path) -> Path:
        """Return a path that the file names, from where it is."""
        return path if self._path is None else self._path.parent / path


def _twice(names: Sequence[str]) -> list[str]:
    """Return the names that are there more than once, each once."""
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def open_ended() -> Protocol:
    """Return what holds without a protocol: one block of listening without an end, from the session's zero on."""
    block = Block.model_construct(kind="listen", name="Listening", start="auto")
    block._number = 1
    return Protocol.model_construct(format=1, name="No protocol", blocks=(block,))
