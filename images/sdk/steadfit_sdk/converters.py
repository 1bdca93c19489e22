"""The registry of converters: the formats that the SDK writes beside skops, which holds the estimator itself."""

from collections.abc import Callable, Mapping
from typing import Any

from steadfit_artifact.formats.names import ONNX

from steadfit_sdk.onnx_export import onnx_bytes

# From a fitted estimator and its number of features to the bytes of the format's file; raises NotConvertibleError with
# the reason where the format can't express the estimator.
Converter = Callable[[Any, int], bytes]

# By the format's name in `steadfit_artifact.formats.registry`. A format that is not here can still be written without
# the SDK.
CONVERTERS: Mapping[str, Converter] = {ONNX: onnx_bytes}
