"""Months of flights as live traffic: each request is one flight, and later its outcome is posted back.

Runs in a pod of its own, beside nothing but `tests/support/load.py`: the same open-loop generator, which here takes
its requests from the month that is being played. Rows come in the order of time and evenly: a month is played in
`SECONDS`, whatever its length; then comes the one that was asked for meanwhile, without a pause, or the same once more
if there is none, so that traffic never stops. A flight's outcome is known `DELAY` seconds after it was asked about; it
goes back with the answer's token.

The next month is asked for by writing its partition's name to `COMMAND`; what was done so far is in `STATE`. What was
answered to a month's requests is written into the lake once it is over: which row, which score, by which version.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import S3Store

from tests.support.load import Answer, Load, Report, accepts

COMMAND, STATE = "/tmp/month", "/tmp/state.json"
ANSWERS = "answers"
"""Folder of the lake for what was answered."""
SETTLED = 15.0
"""Seconds after the last request of a month by which all of its answers are there."""
SECONDS = 100.0
"""How long a month takes."""
DELAY = 5.0
"""Seconds from a request to its outcome."""
MOST_OUTCOMES = 1000
"""In one post; what the server takes."""
NOT_FEATURES = frozenset({"time_hour", "late"})


class Place(NamedTuple):
    """Where in the month a request lies: the row, and how often the month was played before."""

    row: int
    round: int


class Scored(NamedTuple):
    """What was answered about one flight."""

    row: int
    score: float
    version: int


class Outcome(NamedTuple):
    """What became of one flight, and when it is known (by the loop's clock)."""

    due: float
    token: str
    late: int


@dataclass(frozen=True)
class Month:
    """One month's flights in the order of time, as columns."""

    name: str
    columns: Mapping[str, Sequence[Any]]

    @property
    def rows(self) -> int:
        """How many flights there are."""
        return len(self.columns["late"])

    def body(self, row: int) -> bytes:
        """Return one flight as an Open Inference Protocol request."""
        inputs = []
        for name, values in self.columns.items():
            if name not in NOT_FEATURES:
                value = values[row]
                text = isinstance(value, str)
                datatype = "BYTES" if text else "FP64"
                inputs.append({"name": name, "datatype": datatype, "shape": [1], "data": [value]})
        return json.dumps({"inputs": inputs}).encode()


def place_of(request: int, rows: int, rate: float) -> Place:
    """Return where a month's request lies: evenly over the month, which is played again when it is over."""
    whole = round(rate * SECONDS)
    return Place(request % whole * rows // whole, request // whole)


@dataclass
class Feedback:
    """What became of the outcomes: rows, and posts that failed."""

    counted: int = 0
    replayed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    posts: int = 0
    failed: int = 0


class Replay(Load):
    """The load generator, asking about the flights of a month.

    Args:
        url: of inference; `…/infer`.
        month: the one that is played first.
        options: as for `Load`.
    """

    def __init__(self, url: str, month: Month, **options: Any) -> None:
        super().__init__(url, [b""], **options)
        self._feedback_url = url.removesuffix("/infer") + "/feedback"
        self._asked: dict[int, tuple[Month, Place]] = {}
        self._scored: dict[str, list[Scored]] = {month.name: []}
        self._over: dict[str, float] = {}
        self._known: deque[Outcome] = deque()
        self._sent, self._first = 0, 0
        self.month, self.place = month, Place(0, 0)
        self._next: Month | None = None
        self.feedback = Feedback()

    def play(self, month: Month) -> None:
        """Go on with this month when the one that is being played is over."""
        self._next = month

    def request(self, number: int, *, close: bool) -> bytes:
        """Return the next flight."""
        self.place = place_of(self._sent - self._first, self.month.rows, self._rate)
        if self._next is not None and self.place.round:
            self._over[self.month.name] = asyncio.get_running_loop().time()
            self.month, self._next, self._first, self.place = self._next, None, self._sent, Place(0, 0)
            self._scored[self.month.name] = []
        self._sent += 1
        self._asked[number] = (self.month, self.place)
        return self.message(self.month.body(self.place.row), close=close)

    def answered(self, number: int, answer: Answer) -> None:
        """Keep the score, and the token until the outcome is known; a flight that is asked about again has a score."""
        month, place = self._asked.pop(number)
        if answer.status != 200:
            return
        said = json.loads(answer.body)
        if not place.round and month.name in self._scored:
            self._scored[month.name].append(Scored(place.row, score_of(said), int(said["model_version"])))
        token = said["parameters"].get("prediction_token")
        if token is not None:
            due = asyncio.get_running_loop().time() + DELAY
            self._known.append(Outcome(due, token, int(month.columns["late"][place.row])))

    def settled(self, now: float) -> dict[str, list[Scored]]:
        """Return, and forget, the answers of the months that are over."""
        over = [name for name, at in self._over.items() if now >= at + SETTLED and name in self._scored]
        return {name: self._scored.pop(name) for name in over}

    def rest(self) -> dict[str, list[Scored]]:
        """Return the answers that were not returned yet."""
        return self._scored

    async def post_outcomes(self) -> None:
        """Post what became known, oldest first; what can't be posted now is posted later."""
        now = asyncio.get_running_loop().time()
        batch: list[Outcome] = []
        while self._known and self._known[0].due <= now and len(batch) < MOST_OUTCOMES:
            batch.append(self._known.popleft())
        if not batch:
            return
        self.feedback.posts += 1
        try:
            answer = await asyncio.to_thread(_post, self._feedback_url, batch)
        except (OSError, ValueError):
            self.feedback.failed += 1
            self._known.extendleft(reversed(batch))
            return
        self.feedback.counted += answer["counted"]
        self.feedback.replayed += answer["replayed"]
        self.feedback.rejected.update(each["reason"] for each in answer["rejected"])

    def state(self) -> dict[str, Any]:
        """Return what was done so far."""
        played = self.place.round + self.place.row / self.month.rows
        return {"month": self.month.name, "played": played, "sent": self._sent, "feedback": asdict(self.feedback)}


def score_of(said: Mapping[str, Any]) -> float:
    """Return the probability of the second class in an answer about one row."""
    found = next(each["data"] for each in said["outputs"] if each["name"] == "probabilities")
    return float(found[1])


def _post(url: str, batch: Sequence[Outcome]) -> dict[str, Any]:
    """Post outcomes; an answer of 400 counts them one by one as one of 200 does."""
    entries = [{"token": each.token, "row": 0, "outcome": each.late} for each in batch]
    body, headers = json.dumps({"feedback": entries}).encode(), {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code != 400:
            raise
        answer = json.load(error)
        if "rejected" not in answer:
            raise ValueError(answer.get("error")) from error
    return answer


def lake() -> S3Store:
    """Return the lake, as the pod reaches it."""
    return S3Store(
        "lake",
        endpoint=os.environ["STEADFIT_STORE_ENDPOINT"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def read_month(name: str) -> Month:
    """Read a month's traffic."""
    content = obstore.get(lake(), f"traffic/{name}/part-0.parquet").bytes()
    table = pq.read_table(pa.BufferReader(content))
    return Month(name, {column: table.column(column).to_pylist() for column in table.column_names})


def write_answers(answers: Mapping[str, Sequence[Scored]]) -> None:
    """Write what was answered to each month's requests."""
    for name, scored in answers.items():
        table = pa.table({field: [getattr(each, field) for each in scored] for field in Scored._fields})
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        obstore.put(lake(), f"{ANSWERS}/{name}.parquet", buffer.getvalue())


async def _follow(replay: Replay) -> None:
    """Play what is asked for, post outcomes, and tell, for ever."""
    heard = replay.month.name
    while True:
        asked = _asked_for()
        if asked and asked != heard:
            replay.play(await asyncio.to_thread(read_month, asked))
            heard = asked
        await replay.post_outcomes()
        await asyncio.to_thread(write_answers, replay.settled(asyncio.get_running_loop().time()))
        _tell(replay.state())
        await asyncio.sleep(0.5)


def _asked_for() -> str:
    """Return the month that is asked for, empty while nobody has asked or the asking is being written."""
    path = Path(COMMAND)
    return path.read_text().strip() if path.exists() else ""


def _tell(state: Mapping[str, Any]) -> None:
    """Write the state so that readers see the old or the new one."""
    Path(f"{STATE}.new").write_text(json.dumps(state))
    Path(f"{STATE}.new").replace(STATE)


async def _main(url: str, rate: float, month: str) -> tuple[Report, Feedback]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    replay = Replay(url, read_month(month), rate=rate)
    parts = urlsplit(url)
    await accepts(parts.hostname or "", parts.port or 80, patience=30)
    follower = loop.create_task(_follow(replay))
    report = await replay.run(stop)
    follower.cancel()
    write_answers(replay.rest())
    return report, replay.feedback


def main(argv: Iterable[str] | None = None) -> int:
    """Play until told to stop; print the report as JSON; exit 1 if a request failed."""
    parser = argparse.ArgumentParser(description="Plays months of flights as traffic, outcomes included.")
    parser.add_argument("--url", required=True, help="of inference")
    parser.add_argument("--month", required=True, help="the partition to begin with")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    arguments = parser.parse_args(None if argv is None else list(argv))
    report, feedback = asyncio.run(_main(arguments.url, arguments.rate, arguments.month))
    print(json.dumps(report.to_json() | {"feedback": asdict(feedback)}))
    return 1 if report.failed or feedback.failed else 0


if __name__ == "__main__":
    sys.exit(main())
