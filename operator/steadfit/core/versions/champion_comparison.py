"""The comparison with the champion, judged by the margin of the recipe as it is now: non-inferiority.

A version passes when the whole 95 % interval of the difference lies above -margin, so noise alone neither passes nor
counts as a win. A version that could not be compared has the verdict NoData, which is never a win; without any champion
the verdict is Bootstrap.

The first version after a change of the holdout is compared on the rows that were held out from both. They may be few,
so an interval that leaves it open which one is better is NoData there.
"""

from __future__ import annotations

from steadfit.api.data import Evaluation
from steadfit.api.modelversion import ChampionResult, EvaluationResult, Gate, GateVerdict
from steadfit.core.text import cut, difference_text


def judge(result: EvaluationResult, evaluation: Evaluation) -> Gate:
    """Return the verdict on a version beside the champion."""
    champion = result.champion
    if champion is None:
        return _gate(
            "Bootstrap", evaluation, "no version served or was verified when it was made: nothing to compare with"
        )
    missing = _missing(champion, evaluation)
    if missing:
        return _gate("NoData", evaluation, f"was not compared with {champion.version}: {missing}")
    value, lower = champion.value or 0.0, champion.lower if champion.lower is not None else float("-inf")
    margin = evaluation.champion.margin.of(value)
    passed = lower > -margin
    worse = not passed and (champion.shared_rows is None or (champion.upper or 0.0) <= -margin)
    verdict: GateVerdict = "Pass" if passed else "Fail" if worse else "NoData"
    return _gate(verdict, evaluation, _message(champion, evaluation, passed), value)


def _missing(champion: ChampionResult, evaluation: Evaluation) -> str | None:
    """Return why there is no comparison, or None when there is one."""
    if champion.reason:
        return champion.reason
    if None in (champion.value, champion.difference, champion.lower, champion.upper):
        return "the record does not hold the numbers"
    first = evaluation.metrics[0].name
    if champion.metric != first:
        return f"they were compared by {champion.metric}, and the recipe's first metric is {first} by now"
    return None


def _message(champion: ChampionResult, evaluation: Evaluation, passed: bool) -> str:
    value, difference = champion.value or 0.0, champion.difference or 0.0
    much, interval = difference_text(difference, champion.lower or 0.0, champion.upper or 0.0)
    own = value + difference if evaluation.metrics[0].goal == "Maximize" else value - difference
    how = "not worse" if passed else "not shown to be as good"
    which = "" if champion.shared_rows is None else ", those of the holdout that were held out from both,"
    return (
        f"{champion.metric} {own:.4g} against {value:.4g} of {champion.version} on the same {champion.rows} rows{which}"
        f" is {how} by the margin {evaluation.champion.margin.text(value)}"
        f" ({much}, {interval}, {champion.method})"
    )


def _gate(verdict: GateVerdict, evaluation: Evaluation, message: str, reference: float | None = None) -> Gate:
    margin = evaluation.champion.margin
    known = reference is not None or not margin.relative
    return Gate(verdict=verdict, margin=margin.of(reference or 0.0) if known else None, message=cut(message))
