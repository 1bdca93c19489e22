"""Whose fault it is when a model fails: the request's, if the same model still answers its example.

An encoder that meets an unknown number, a logarithm of a negative one: what an estimator raises then looks like a
failure of the server, and one caller with an odd value would have a good version rolled back. So the model is asked
again, for parts of the request.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadfit_server.protocol.errors import InvalidInputError

# Longest search for the value, in seconds: it may run on the event loop.
SEARCH_SECONDS = 0.05

Columns = Mapping[str, NDArray[Any]]


def blame(works: Callable[[Columns], bool], columns: Columns, example: Columns) -> InvalidInputError | None:
    """Return what is wrong with the columns that a model fails on; None if it fails on its example too.

    Parameters
    ----------
    works : Callable[[Columns], bool]
        Whether the model answers columns.
    columns : Columns
        Of shape [rows]; the model fails on them.
    example : Columns
        Of shape [1].
    """
    if not works(example):
        return None
    end = time.monotonic() + SEARCH_SECONDS
    row, left = 0, len(next(iter(columns.values())))
    while left > 1:
        half = left // 2
        if time.monotonic() > end:
            return InvalidInputError("The model has no answer for the values of a row.")
        if works(_rows(columns, row, row + half)):
            row, left = row + half, left - half
        else:
            left = half
    found = _rows(columns, row, row + 1)
    for name in columns:
        if time.monotonic() > end:
            break
        if works({**found, name: np.array(example[name], found[name].dtype)}):
            return InvalidInputError(f"Input '{name}': the model has no answer for the value in row {row}.")
    return InvalidInputError(f"The model has no answer for the values of row {row} together.")


def _rows(columns: Columns, begin: int, end: int) -> dict[str, NDArray[Any]]:
    return {name: values[begin:end] for name, values in columns.items()}
