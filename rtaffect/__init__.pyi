from calibration.model import RidgeSynchrony as RidgeSynchrony
from rtaffect.common.errors import RtaffectError as RtaffectError
from rtaffect.common.settings import Settings as Settings
from rtaffect.engine.bundle import Bundle as Bundle
from rtaffect.engine.feedback import Feedback as Feedback
from rtaffect.notebook.artifacts import load_bundle as load_bundle
from rtaffect.notebook.artifacts import load_featurizer as load_featurizer
from rtaffect.notebook.eeg import ObservedSynchrony as ObservedSynchrony
from rtaffect.notebook.eeg import observed_synchrony as observed_synchrony
from rtaffect.notebook.live_plot import plot_live as plot_live
from rtaffect.notebook.plot import plot_feedback as plot_feedback
from rtaffect.notebook.recording import replay as replay
from rtaffect.notebook.session import Session as Session
from rtaffect.notebook.sound import SoundFeatures as SoundFeatures
from rtaffect.notebook.sound import sound_features as sound_features
from rtaffect.predicted.featurizer import Featurizer as Featurizer

__version__: str
__all__: list[str]
