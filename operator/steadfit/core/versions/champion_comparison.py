"""The comparison with the champion, judged by the margin of the recipe as it is now: non-inferiority.

A version passes when the whole 95 % interval of the difference lies above -margin, so noise alone neither passes nor
is taken for a win. What could not be compared is NoData, which is never a win; no champion at all is named Bootstrap.
"""

from __future__ import annotations

from steadfit.api.data import Evaluation
from steadfit.api.modelversion import ChampionResult, EvaluationResult, Gate, GateVerdict
from steadfit.core.text import cut, difference_text


def judge(result: EvaluationResult, evaluation: Evaluation) -> Gate:
    """Return how a version did against the champion."""
    margin, champion = evaluation.champion.margin, result.champion
    if champion is None:
        return _gate("Bootstrap", margin, "no version served or was verified when it was made: nothing to compare with")
    missing = _missing(champion, evaluation)
    if missing:
        return _gate("NoData", margin, f"was not compared with {champion.version}: {missing}")
    lower = champion.lower if champion.lower is not None else float("-inf")
    passed = lower > -margin
    return _gate("Pass" if passed else "Fail", margin, _words(champion, evaluation, passed))


def _missing(champion: ChampionResult, evaluation: Evaluation) -> str | None:
    """Return why the comparison says nothing, or None when it does."""
    if champion.reason:
        return champion.reason
    if None in (champion.value, champion.difference, champion.lower, champion.upper):
        return "the record does not hold the numbers"
    asked = evaluation.metrics[0].name
    if champion.metric != asked:
        return f"they were compared by {champion.metric}, and the recipe's first metric is {asked} by now"
    return None


def _words(champion: ChampionResult, evaluation: Evaluation, passed: bool) -> str:
    value, difference = champion.value or 0.0, champion.difference or 0.0
    much, interval = difference_text(difference, champion.lower or 0.0, champion.upper or 0.0)
    own = value + difference if evaluation.metrics[0].goal == "Maximize" else value - difference
    how = "not worse" if passed else "not shown to be as good"
    return (
        f"{champion.metric} {own:.4g} against {value:.4g} of {champion.version} on the same {champion.rows} rows"
        f" is {how} by the margin {evaluation.champion.margin:g}"
        f" ({much}, {interval}, {champion.method})"
    )


def _gate(verdict: GateVerdict, margin: float, message: str) -> Gate:
    return Gate(verdict=verdict, margin=margin, message=cut(message))
