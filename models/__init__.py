"""Exporters: from a published speech model to the ONNX featurizer that the live side runs."""
