"""Estimators as ONNX graphs: the same bytes for the same estimator."""

import warnings
from typing import Any

from sklearn.base import is_classifier

from steadfit_sdk.errors import NotConvertibleError


def onnx_bytes(estimator: Any, width: int) -> bytes:
    """Return the estimator as ONNX with one float32 input [rows, width].

    Raises
    ------
    NotConvertibleError
        The converter refuses the estimator.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = convert_sklearn(
                estimator, initial_types=[("features", FloatTensorType([None, width]))], options=options
            )
    except Exception as error:  # The converters raise many types of exceptions.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotConvertibleError(f"{type(estimator).__name__} does not convert: {first}") from error
    # Names and versions of tools, and the random name of the graph, would change the digest.
    model.producer_name, model.producer_version, model.domain, model.doc_string = "steadfit", "", "", ""
    model.graph.name, model.graph.doc_string = "model", ""
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))
