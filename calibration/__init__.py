"""Offline calibration: from a study of several people and sounds to the bundle that a live session loads."""

#: Tells that this is rtaffect's package of the name (:mod:`rtaffect.common.offline`).
__rtaffect__ = True
