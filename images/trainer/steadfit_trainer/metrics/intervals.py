"""How the difference of two models by a metric gets its interval: every metric names one of these."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steadfit_trainer.metrics.answers import Answers, OfResamples


@dataclass(frozen=True)
class McNemar:
    """McNemar's interval: for a metric that is the share of right rows, and for no other.

    Attributes
    ----------
    right : Callable[[Answers], NDArray[np.bool_]]
        Returns which rows are right: shape [rows], whose mean is the metric's value.
    """

    right: Callable[[Answers], NDArray[np.bool_]]


@dataclass(frozen=True)
class PairedBootstrap:
    """The percentile interval over resamples of the rows.

    Attributes
    ----------
    of_resamples : Callable[[Answers], OfResamples]
        Prepares the computation of the metric on many resamples of these rows.
    """

    of_resamples: Callable[[Answers], OfResamples]


Interval = McNemar | PairedBootstrap
