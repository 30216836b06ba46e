"""rtaffect: predicted and observed inter-subject EEG synchrony, live, once a second.

The names in ``__all__`` are what a notebook needs (``docs/python.md``). Each is imported at its first use; their types
are in ``__init__.pyi``.
"""

import importlib

__version__ = "0.1.0"

#: The module of each public name, as a string: a start stays light, and calibration is never imported from here.
_MODULES = {
    "Bundle": "rtaffect.engine.bundle",
    "Featurizer": "rtaffect.predicted.featurizer",
    "Feedback": "rtaffect.engine.feedback",
    "ObservedSynchrony": "rtaffect.notebook.eeg",
    "RidgeSynchrony": "calibration.model",
    "RtaffectError": "rtaffect.common.errors",
    "Session": "rtaffect.notebook.session",
    "Settings": "rtaffect.common.settings",
    "SoundFeatures": "rtaffect.notebook.sound",
    "load_bundle": "rtaffect.notebook.artifacts",
    "load_featurizer": "rtaffect.notebook.artifacts",
    "observed_synchrony": "rtaffect.notebook.eeg",
    "plot_feedback": "rtaffect.notebook.plot",
    "plot_live": "rtaffect.notebook.live_plot",
    "replay": "rtaffect.notebook.recording",
    "sound_features": "rtaffect.notebook.sound",
}

__all__ = ["__version__", *_MODULES]  # noqa: PLE0604 - the table has strings


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES[name]
    if module.startswith("rtaffect."):
        found = getattr(importlib.import_module(module), name)
    else:
        found = getattr(importlib.import_module("rtaffect.common.offline").offline_module(module), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
