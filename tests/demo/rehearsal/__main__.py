"""The tables of tests/demo/design/0078: `python -m tests.demo.rehearsal`, two minutes of one core, no cluster.

With a number of years it plays so many, each at another pace: what hangs on an hour is no good choice of levels.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from steadfit.api.strategy import AnalysisMetric

from tests.demo.calendar import FEED_ENDS, LEARNED, WHOLE, played
from tests.demo.offline import recipe
from tests.demo.rivals import learned_from

from .loop import Arm, Loop, Pace, look
from .traffic import Part, lake, traffic
from .version import Version, version


def main() -> int:
    """Print all tables, or how the year ends at different paces."""
    if len(sys.argv) > 1:
        _paces(int(sys.argv[1]))
        return 0
    loop = Loop()
    loop.play()
    print("## The year as rehearsed\n")
    for at, text in loop.told:
        print(f"{at:6.2f}  {text}")
    _months(loop)
    _course()
    _misread(loop.metric)
    return 0


def _paces(years: int) -> None:
    chance = np.random.default_rng(5)
    for seed in range(years):
        run, evaluation, start = (round(float(chance.uniform(*ends))) for ends in ((12, 22), (8, 18), (2, 8)))
        loop = Loop(Pace(run, evaluation, start, seed))
        loop.play()
        told = " ".join(text for _, text in loop.told)
        seen = [word for word in ("drift", "the world moved", "found worse", "refused") if word in told]
        auc = np.mean([_auc(loop.used, month) for month in played(WHOLE)])
        pace = f"run {run} s, evaluation {evaluation} s, start {start} s"
        print(f"{pace}: AUC {auc:.4f}, {loop.runs} runs; {', '.join(seen)}")


def _auc(scores: NDArray[np.float64], month: int) -> float:
    chosen = traffic().between(month, month + 1)
    return float(roc_auc_score(traffic().late[chosen], scores[chosen]))


def _months(loop: Loop) -> None:
    never, same = version(_of(LEARNED)), recipe()["data"][0]["latest"]["partitions"]
    print("\n## AUC, Brier, accuracy\n")
    print("| month | late | never | monthly, two months | monthly, the loop's recipe | loop |")
    print("|---|---|---|---|---|---|")
    aucs: list[list[float]] = []
    for month in played(WHOLE):
        chosen = traffic().between(month, month + 1)
        late = traffic().late[chosen]
        models = (never, version(_of(learned_from(month))), version(lake(float(month), same)))
        scores = [*(each.scores for each in models), loop.used]
        aucs.append([_auc(each, month) for each in scores])
        print(f"| {month} | {late.mean():.3f} | {' | '.join(_three(late, each[chosen]) for each in scores)} |")
    means = np.mean(aucs, axis=0)
    print(f"| mean AUC | | {' | '.join(f'{mean:.4f}' for mean in means)} |")
    print(f"| runs | | 1 | {len(aucs)} | {len(aucs)} | {loop.runs} |")


def _three(late: NDArray[np.int64], scores: NDArray[np.float64]) -> str:
    brier, accuracy = ((scores - late) ** 2).mean(), ((scores >= 0.5) == late).mean()
    return f"{roc_auc_score(late, scores):.3f}, {brier:.3f}, {accuracy:.3f}"


def _course() -> None:
    models = {
        "January, February": version(_of(LEARNED)),
        "until April": version(_of(range(1, 5))),
        "until June": version(_of(range(1, 7))),
        "until July": version(_of(range(2, 8))),
    }
    print("\n## Weighted PSI and accuracy over the month before\n")
    print("| at | " + " | ".join(models) + " |")
    print("|" + "---|" * (len(models) + 1))
    for at in np.arange(4.0, 13.01, 0.25):
        month = traffic().between(at - 1, at)
        cells = [f"{each.drift(month):.2f}, {each.right[month].mean():.3f}" for each in models.values()]
        print(f"| {at:.2f} | " + " | ".join(cells) + " |")


def _misread(metric: AnalysisMetric) -> None:
    good = version(_of(range(1, 7)))
    bad = version(_of(range(FEED_ENDS - 5, FEED_ENDS + 1)), celsius=True)
    found = bad.beside(good)
    print("\n## Learned from Celsius, asked in Fahrenheit\n")
    print(f"On its own holdout: {found.difference:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}] beside what serves.\n")
    print("| from | Brier | accuracy | AUC | found worse after, with a third of the traffic |")
    print("|---|---|---|---|---|")
    for at in (8.0, 8.5, 9.0, 9.5, 10.0, 10.5, 11.0):
        half = traffic().between(at, at + 0.5)
        late = traffic().late[half]
        brier = bad.squared[half].mean() - good.squared[half].mean()
        accuracy = bad.right[half].mean() - good.right[half].mean()
        auc = roc_auc_score(late, bad.scores[half]) - roc_auc_score(late, good.scores[half])
        print(f"| {at} | {brier:+.3f} | {accuracy:+.3f} | {auc:+.3f} | {_until_found(bad, good, at, metric)} |")


def _until_found(bad: Version, good: Version, since: float, metric: AnalysisMetric) -> str:
    chosen = np.random.default_rng(3).random(len(traffic().at)) < 1 / 3
    new, live = Arm(bad, chosen), Arm(good, ~chosen)
    for seconds in range(15, 301, 5):
        found = look(new, live, since, since + seconds / 100, metric, since)
        if found is not None and found[1] == "Fail":
            requests = int((traffic().between(since, since + seconds / 100) & chosen).sum())
            return f"{seconds} s, {requests:,} of its answers"
    return "not in 300 s"


def _of(months: range | tuple[int, ...]) -> tuple[Part, ...]:
    return tuple(Part(month, half) for month in months for half in (0, 1))


if __name__ == "__main__":
    sys.exit(main())
