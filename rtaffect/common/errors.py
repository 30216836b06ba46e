"""Errors meant for the person who runs rtaffect.

Every error that a user can cause is a :class:`RtaffectError`: one message that names the value, what was expected
and the remedy. The command line prints it as one line and exits with status 2; anything else is a defect of ours.
"""

from __future__ import annotations


class RtaffectError(Exception):
    """Base of every error that names its own remedy."""


class SettingsError(RtaffectError):
    """A setting has a value that cannot work."""


class StreamError(RtaffectError):
    """A live stream is missing, ambiguous, or not described well enough to be used."""


class RecordingError(RtaffectError):
    """A recorded file cannot be read or does not hold what is needed."""


class SoundError(RtaffectError):
    """A sound file or sound device cannot be used."""


class ArtifactError(RtaffectError):
    """A bundle or featurizer on disk is missing, damaged, of another version, or does not fit."""


class MontageError(RtaffectError):
    """The channels at hand do not fit the rows that are asked for."""
