"""Drift from the server's counters: one set of recording rules a window, for all models at once.

Bins are frozen at training, so counters of replicas add up and a restart loses next to nothing. Shares are smoothed
by half a sample a bin (Jeffreys), the reference in the same way: no logarithm of zero, no model that is never judged.
PSI is recorded less what chance alone gives it, (bins - 1) * (1/n + 1/rows of the reference).
"""

from __future__ import annotations

from collections.abc import Iterator

from .promql import MODEL, PREDICTION, Rule, record

FEATURE = f"{MODEL}, feature"
BIN = f"{FEATURE}, bin"

# A column of this name would be counted with the answers, so it is not watched.
_INPUTS = f'feature!="{PREDICTION}"'


def drift(window: str, period: str) -> Iterator[Rule]:
    """Return the rules for one window; `period` is the window in PromQL. Each may use those before it."""
    label = f'window="{window}"'
    increase = f"steadfit:feature_bin_increase{{{label}}}"
    samples = f"steadfit:feature_increase{{{label}}}"
    reference = f"steadfit:feature_bin_reference{{{label}}}"
    bins = f"steadfit:feature_bins{{{label}}}"
    ratio = f"steadfit:feature_bin_ratio{{{label}}}"
    answers = {"window": window, "feature": PREDICTION}

    yield record(
        "steadfit:feature_bin_increase",
        f"sum by ({BIN}) (increase(steadfit_feature_bin_total{{{_INPUTS}}}[{period}]))",
        window=window,
    )
    yield record(
        "steadfit:feature_bin_increase",
        f"sum by ({MODEL}, bin) (increase(steadfit_prediction_bin_total[{period}]))",
        **answers,
    )
    yield record("steadfit:feature_increase", f"sum by ({FEATURE}) ({increase})", window=window)
    # All replicas of a version export the same shares.
    yield record(
        "steadfit:feature_bin_reference",
        f"max by ({BIN}) (steadfit_feature_reference_ratio{{{_INPUTS}}})",
        window=window,
    )
    yield record(
        "steadfit:feature_bin_reference",
        f"max by ({MODEL}, bin) (steadfit_prediction_reference_ratio)",
        **answers,
    )
    yield record("steadfit:feature_bins", f"count by ({FEATURE}) ({reference})", window=window)
    yield record(
        "steadfit:feature_bin_ratio",
        f"({increase} + 0.5) / on ({FEATURE}) group_left () (({samples} > 0) + 0.5 * {bins})",
        window=window,
    )
    yield record(
        "steadfit:drift_psi",
        f"sum by ({FEATURE}) (({ratio} - {reference}) * ln({ratio} / {reference}))"
        f" - on ({FEATURE}) (({bins} - 1) * (1 / {samples}"
        f" + on ({MODEL}) group_left () (1 / (max by ({MODEL}) (steadfit_reference_samples) > 0))))",
        window=window,
    )
    yield record(
        "steadfit:drift_js",
        f"sqrt(clamp_min(0.5 * sum by ({FEATURE}) ("
        f"{ratio} * log2(2 * {ratio} / ({ratio} + {reference}))"
        f" + {reference} * log2(2 * {reference} / ({ratio} + {reference}))), 0))",
        window=window,
    )
    for statistic in ("psi", "js"):
        yield from _over_all_inputs(f"steadfit:drift_{statistic}", window)


def _over_all_inputs(name: str, window: str) -> Iterator[Rule]:
    """Return the mean by importance and the maximum over a model's inputs."""
    inputs = f'{name}{{{_INPUTS}, window="{window}"}}'
    importance = f"max by ({FEATURE}) (steadfit_feature_importance_ratio{{{_INPUTS}}})"
    yield record(
        f"{name}:weighted",
        f"sum by ({MODEL}) ({inputs} * on ({FEATURE}) {importance})"
        f" / on ({MODEL}) (sum by ({MODEL}) ({importance} and on ({FEATURE}) {inputs}) > 0)",
        window=window,
    )
    yield record(f"{name}:max", f"max by ({MODEL}) ({inputs})", window=window)
