"""The names of the formats and of their files, apart from what loads them, which takes seconds to import."""

ONNX, ONNX_NAME = "onnx", "model.onnx"
SKOPS, SKOPS_NAME = "skops", "model.skops"
