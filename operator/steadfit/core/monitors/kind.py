"""The protocol of a monitor kind.

A kind is a module of `kinds/`, and the module itself implements the protocol: its functions take the kind's model of
the API and hold no state. Everything that differs between kinds is here: the limit, where the value comes from, the
sentences, the recording rules and the alert. The PromQL of the rules belongs to the kind because the kind reads what
they record; `core/rules` builds the rule file from it and knows no kind by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from steadfit.core.promql import Rule


@dataclass(frozen=True, slots=True)
class Limit:
    """The value that a monitor must not pass.

    Attributes
    ----------
    value
        In the unit of the kind's series; a value that equals it is good.
    above
        True if the monitor fires above it, False if it fires below.
    maximum
        The largest value that the series can have; None = unbounded.
    """

    value: float
    above: bool
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Several values of one label, of which the largest counts.

    Attributes
    ----------
    label
        Name of the label.
    values
        Its values.
    any_value
        A series that exists as soon as the label has any value; empty = there is none. It distinguishes an unknown
        label value from a model that is not measured.
    advice
        What to do about a label value that does not exist.
    """

    label: str
    values: tuple[str, ...]
    any_value: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A value that the operator's rules record, by namespace, model, version and window.

    Attributes
    ----------
    series
        Series of the value.
    samples
        Series of the number of samples behind it.
    selection
        Which of the series' values count; None = there is one a model, version and window.
    bound
        Series of the end of the value's 95 % interval on the good side, which must lie beyond the limit too, with the
        labels of the value; empty = there is none, and the value alone decides.
    undefined
        Why samples may give no value, as the end of a sentence; empty = they always give one.
    """

    series: str
    samples: str
    selection: Selection | None = None
    bound: str = ""
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that a user's expression gives.

    Attributes
    ----------
    source
        Name of the MetricSource.
    promql
        The expression.
    """

    source: str
    promql: str


Measurement = Recorded | Expression
"""Where the value of a monitor comes from. Two monitors with equal measurements and windows have equal values."""


@dataclass(frozen=True, slots=True)
class AlertText:
    """The parts of an alert's summary that are the same for all kinds.

    Attributes
    ----------
    model
        The model and its version, as a template.
    value
        The measured value, as a template.
    expected
        What is expected instead, for example `at most 0.2`.
    monitor
        Name of the monitor.
    window
        Its window.
    """

    model: str
    value: str
    expected: str
    monitor: str
    window: str


class Kind(Protocol):
    """What the operator needs to know of a kind; `spec` is the kind's model of the API."""

    MIN_SAMPLES: int
    """Fewest samples of a value when the monitor does not say."""

    def limit(self, spec: Any, /) -> Limit:
        """Return the limit."""

    def measurement(self, spec: Any, /) -> Measurement:
        """Return where the value comes from."""

    def subject(self, spec: Any, /) -> str:
        """Return what is measured, as the subject of a sentence."""

    def alert_name(self, spec: Any, /) -> str:
        """Return the name of the alert."""

    def summary(self, spec: Any, text: AlertText, /) -> str:
        """Return the sentence of the alert. Prometheus reads it as a template, so it holds no free text of a user."""

    def recording_rules(self, specs: Sequence[Any], window: str, period: str, /) -> Iterable[Rule]:
        """Return the rules that record the kind's series over one window, for all models.

        `specs` are all monitors of the kind with this window, `period` is the window in PromQL. A rule may use the
        series of those before it. Several kinds may return the same rule.
        """


@runtime_checkable
class RecoverKind(Protocol):
    """What a kind that allows the action Recover has besides."""

    def recover_metric(self, spec: Any, /) -> str:
        """Return the name of the evaluation metric that the live and the last good version are scored by."""


def one_of_two(minimum: float | None, maximum: float | None, largest: float | None = None) -> Limit:
    """Return the limit of a kind with `min` or `max`.

    Raises
    ------
    ValueError
        If there is neither, which the API server refuses.
    """
    if maximum is not None:
        return Limit(maximum, above=True, maximum=largest)
    if minimum is None:
        raise ValueError("a monitor without min or max, which the API server refuses")
    return Limit(minimum, above=False, maximum=largest)
