"""Errors meant for the person who runs rtaffect.

Every error that a user can cause is a :class:`RtaffectError`: one message that names the value, what was expected
and the remedy. The command line prints it as one line and exits with its ``status``: 2, or 3 for a session that ran,
but was not kept whole where it was to be. Anything else is a defect of ours.

A message refers to a setting of the session by :func:`setting`, :func:`under` or :func:`such_as`, which are options at
the command line and fields in the start window.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

#: Around a reference in a message, and between its words at the command line, those of the window, and its setting:
#: code points that no text has.
_MARK: Final = "\ufdd0"
_BETWEEN: Final = "\ufdd1"
#: No message is longer, whatever the file or option says that it quotes, letters.
MOST_LETTERS: Final = 2000


def either(terminal: str, window: str = "", name: str = "") -> str:
    """Return words of a message that differ at the command line and in the window.

    ``{}`` in the window's is the label of the setting whose option is ``name``.
    """
    return f"{_MARK}{terminal}{_BETWEEN}{window}{_BETWEEN}{name}{_MARK}"


def setting(name: str, value: object = "", *, metavar: str = "") -> str:
    """Return a reference to a setting by its option's ``name``: '--unit' or "'Unit'".

    With a value it is '--unit V' or 'Unit V'; ``metavar`` stands for the value at the command line, where any is meant.
    """
    value = str(value)
    terminal = " ".join(filter(None, (f"--{name}", value or metavar)))
    return either(terminal, f"{{}} {value}" if value else "'{}'", name)


def under(name: str, *, metavar: str = "") -> str:
    """Return where a setting is given: 'with --unit' or "under 'Unit'"."""
    return either(f"with --{name}{metavar and ' '}{metavar}", "under '{}'", name)


def such_as(name: str, value: str) -> str:
    """Return an example of what is to be given: 'as in --unit V' or "under 'Unit', as in V"."""
    return either(f"as in --{name} {value}", f"under '{{}}', as in {value}", name)


def _one_line(text: str) -> str:
    """Return a text in one line: blanks for other white space, escapes for what cannot be printed."""
    if text.isprintable():
        return text
    marks = _MARK + _BETWEEN
    return "".join(
        c if c.isprintable() or c in marks else " " if c.isspace() else c.encode("unicode_escape").decode()
        for c in text
    )


def _pieces(message: str) -> Iterator[tuple[str, str, str]]:
    """Yield what stands at the command line, what in the window, and the setting that it refers to, '' for none."""
    for part in message.split(_MARK):
        terminal, *rest = part.split(_BETWEEN)
        yield (terminal, rest[0], rest[1]) if len(rest) == 2 else (part, part, "")


def at_terminal(message: str) -> str:
    """Return a message as the command line has it."""
    return "".join(terminal for terminal, _, _ in _pieces(message))


def with_labels(message: str, labels: Mapping[str, str]) -> str:
    """Return a message as the window has it, given the labels of its fields by the names of the options.

    What has no field there is an option even so.
    """
    return "".join(
        window if not name else window.replace("{}", labels[name], 1) if name in labels else terminal
        for terminal, window, name in _pieces(message)
    )


def as_parts(message: str, names: Collection[str]) -> str:
    """Return a message in which settings of these ``names`` are parts of one text: 'unit=V' in place of '--unit V'."""

    def part(terminal: str, window: str, name: str) -> str:
        if name in names:
            terminal = terminal.replace(f"--{name} ", f"--{name}").replace(f"--{name}", f"{name}=")
        return terminal if terminal == window else either(terminal, window, name)

    return "".join(part(*each) for each in _pieces(message))


def field_of(message: str) -> str:
    """Return the first setting that a message refers to, '' for none."""
    return next((name for _, _, name in _pieces(message) if name), "")


class RtaffectError(Exception):
    """Base of every error that names its own remedy.

    Parameters
    ----------
    wrong : str
        What is wrong, with the value; or the whole message.
    expected : str
        What was expected instead.
    remedy : str
        What to do.
    field : str
        Option, without the dashes, of the setting that mends it; default: the first that the message refers to.
    """

    #: What the command line exits with.
    status = 2
    #: Names of settings, by those of options, where neither those nor the window's captions are meant.
    labels: Mapping[str, str] | None = None

    def __init__(self, wrong: str, expected: str = "", remedy: str = "", field: str = "") -> None:
        super().__init__(wrong, expected, remedy, field)
        self.wrong, self.expected, self.remedy = wrong, expected, remedy
        self.field = field or field_of(f"{wrong}{expected}{remedy}")

    @property
    def message(self) -> str:
        """The whole message, references in it, for :func:`at_terminal` and :func:`with_labels`."""
        expected = f"; expected {self.expected}" if self.expected else ""
        remedy = f"{': ' if expected else '; '}{self.remedy}" if self.remedy else ""
        text = _one_line(f"{self.wrong}{expected}{remedy}")
        if len(text) <= MOST_LETTERS:
            return text
        text = at_terminal(text)
        return f"{text[: MOST_LETTERS * 3 // 4]} [...] {text[-MOST_LETTERS // 5 :]}"

    def __str__(self) -> str:
        return at_terminal(self.message) if self.labels is None else with_labels(self.message, self.labels)


class SettingsError(RtaffectError):
    """A setting has a value that cannot work."""


class NotKeptError(RtaffectError):
    """A session ended, but what it found is not whole, or lies elsewhere than it was to."""

    status = 3


class StreamError(RtaffectError):
    """A live stream is missing, ambiguous, or not described well enough to be used."""


class RecordingError(RtaffectError):
    """A recorded file cannot be read or does not hold what is needed."""


class SoundError(RtaffectError):
    """A sound file or sound device cannot be used."""


class FilmError(RtaffectError):
    """A film file cannot be used."""


class ArtifactError(RtaffectError):
    """A bundle or featurizer on disk is missing, damaged, of another version, or does not fit."""


class MontageError(RtaffectError):
    """The channels at hand do not fit the rows that are asked for."""
