"""`POST /v2/models/<model>/feedback`: outcomes of earlier predictions, each with the token of its answer.

Outcomes only become counters. Each replica remembers a bounded number of counted outcomes, so a retry does not count
twice; the same outcome posted to two replicas does.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from steadfit_server.feedback.counters import MAX_OTHER_VERSIONS, OutcomeCounts
from steadfit_server.feedback.outcome import OutcomeError, OutcomeScorer
from steadfit_server.feedback.token import Token, TokenError, Tokens
from steadfit_server.protocol.errors import InvalidInputError, quoted

MAX_ENTRIES = 1000
# Counted outcomes to remember; each takes about 200 bytes.
MAX_REMEMBERED = 65_536
_FIELDS = frozenset({"token", "row", "outcome"})

Sink = Callable[[str, float, int, str | int | float | bool, str], None]


class RejectedError(Exception):
    """An outcome is rejected; it has the reason as a label value, and a sentence for the caller."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass
class Received:
    """The result of one feedback request."""

    counted: int = 0
    replayed: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        """HTTP status: 200 if an outcome was counted or replayed, else 400."""
        return 200 if self.counted or self.replayed else 400

    def document(self) -> dict[str, Any]:
        """Return the result as the JSON object of the answer."""
        return {"counted": self.counted, "replayed": self.replayed, "rejected": self.rejected}


class ServedVersion(Protocol):
    """The version that is served here."""

    @property
    def version(self) -> str:
        """Number of the version."""

    @property
    def revision(self) -> str:
        """Name of the revision."""


class FeedbackHandler:
    """Verifies and counts posted outcomes; thread-safe.

    Parameters
    ----------
    served : ServedVersion
        The version whose classes the scorer has.
    tokens : Tokens
        Verifies the tokens.
    scorer : OutcomeScorer
        Compares outcomes with predictions.
    counts : OutcomeCounts
        Counts the outcomes.
    max_age_seconds : float
        Age of the oldest prediction whose outcome is counted.
    keep : Sink
        Called with each counted outcome: prediction id, time, row, outcome, version.
    clock : Callable[[], float]
        Returns seconds since 1970.
    """

    def __init__(
        self,
        served: ServedVersion,
        tokens: Tokens,
        scorer: OutcomeScorer,
        counts: OutcomeCounts,
        max_age_seconds: float,
        keep: Sink,
        clock: Callable[[], float],
    ) -> None:
        self._served = (served.version, served.revision)
        self._tokens = tokens
        self._scorer = scorer
        self._counts = counts
        self._max_age = max_age_seconds
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: OrderedDict[tuple[str, int], None] = OrderedDict()

    def receive(self, body: bytes) -> Received:
        """Count the outcomes of a request's body.

        Raises
        ------
        InvalidInputError
            The body as a whole is wrong; errors of single outcomes are in the result.
        """
        received, verified = Received(), dict[str, Token | TokenError]()
        for index, entry in enumerate(_entries(body)):
            try:
                new = self._take(entry, verified)
            except RejectedError as error:
                self._counts.reject(error.reason)
                where = f"feedback[{index}]"
                received.rejected.append({"index": index, "reason": error.reason, "error": f"{where}{error.sentence}"})
                continue
            received.counted += new
            received.replayed += not new
        return received

    def _take(self, entry: object, verified: dict[str, Token | TokenError]) -> bool:
        """Count one outcome; return False if it was counted before."""
        text, row, outcome = _checked(entry)
        token = self._verified(text, verified)
        now = self._clock()
        if now - token.at > self._max_age:
            raise RejectedError(
                "expired", f".token is of a prediction that is older than {_days(self._max_age)}, the oldest counted."
            )
        if row >= len(token.predicted):
            rows = len(token.predicted)
            raise RejectedError(
                "malformed", f".row is {row}, but the answer had {rows} {'row' if rows == 1 else 'rows'}."
            )
        served = (token.version, token.revision) == self._served
        try:
            scored = self._scorer.score(token, row, outcome, served)
        except OutcomeError as error:
            raise RejectedError("wrong_type", f".outcome {error}") from None
        with self._lock:
            if self._remember((token.prediction_id, row)):
                self._counts.reject("replayed")
                return False
            if not self._counts.takes(token.version, token.revision, token.task):
                del self._remembered[token.prediction_id, row]
                raise RejectedError(
                    "expired",
                    f".token is of version {quoted(token.version)}, and this replica counts outcomes of "
                    f"{MAX_OTHER_VERSIONS} others already.",
                )
            self._counts.add(token.version, token.revision, token.task, scored)
        self._keep(token.prediction_id, now, row, outcome, token.version)
        return True

    def _verified(self, text: str, verified: dict[str, Token | TokenError]) -> Token:
        """Verify a token once per request, for all rows that share it."""
        found = verified.get(text)
        if found is None:
            try:
                found = self._tokens.verify(text)
            except TokenError as error:
                found = error
            verified[text] = found
        if isinstance(found, TokenError):
            raise RejectedError(found.reason, f".token {found.sentence}")
        return found

    def _remember(self, key: tuple[str, int]) -> bool:
        """Return whether the outcome was counted before, and remember it."""
        if key in self._remembered:
            return True
        self._remembered[key] = None
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return False


def _entries(body: bytes) -> list[Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"The body is not valid JSON: {error}.") from None
    entries = document.get("feedback") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InvalidInputError("The body must be a JSON object with a list 'feedback'.")
    if len(document) > 1:
        unknown = next(name for name in document if name != "feedback")
        raise InvalidInputError(f"Unknown field {quoted(unknown)}; the body has a list 'feedback' and nothing else.")
    if not entries:
        raise InvalidInputError("'feedback' is empty.")
    if len(entries) > MAX_ENTRIES:
        raise InvalidInputError(f"'feedback' has {len(entries)} entries; one request may have {MAX_ENTRIES}.")
    return entries


def _checked(entry: object) -> tuple[str, int, Any]:
    """Return token, row (0 by default) and outcome of an entry."""
    if not isinstance(entry, Mapping):
        raise RejectedError("malformed", " must be an object with 'token', 'row' and 'outcome'.")
    for name in entry:
        if name not in _FIELDS:
            raise RejectedError("malformed", f" has an unknown field {quoted(name)}.")
    text, row = entry.get("token"), entry.get("row", 0)
    if not isinstance(text, str):
        raise RejectedError("malformed", ".token must be the 'prediction_token' of an answer.")
    if type(row) is not int or row < 0:
        raise RejectedError("malformed", ".row must be the number of a row, counted from 0.")
    if entry.get("outcome") is None:
        raise RejectedError("malformed", ".outcome is missing.")
    return text, row, entry["outcome"]


def _days(seconds: float) -> str:
    return f"{seconds / 86400:g} days"
