"""Exporters: from a published speech model to the ONNX featurizer that the live side runs."""

#: Tells that this is rtaffect's package of the name (:mod:`rtaffect.common.offline`).
__rtaffect__ = True
