"""The record's way to the operator: POST until it says that the version exists.

The same body is posted again and again: the operator answers 202 once it has stored the record, and 200 when the
version exists. So a lost answer, a new leader or a restart of this container need no memory anywhere.
"""

import http.client
import json
import logging
import ssl
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steadfit_trainer.failures import UserFailure

LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0
POLL_SECONDS = 1.0
MAX_POLL_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
# Refusals that time may heal: a token being renewed, a write that lost against another, a full house.
TRANSIENT = frozenset({401, 408, 409, 429})


class OperatorUnavailableError(Exception):
    """The operator did not take the record now; the message is a sentence."""


class OperatorClient:
    """The operator's intake.

    Token and CA file are read for each request, because Kubernetes renews the one and the operator the other.

    Parameters
    ----------
    url : str
        Where the run's result goes, https.
    token : Path
        File with the bearer token.
    ca_file : Path | None
        File with the certificates to trust; None trusts the system's.
    what : str, default 'record'
        Is posted, for sentences.
    """

    def __init__(self, url: str, token: Path, ca_file: Path | None, what: str = "record") -> None:
        self._what = what
        self._url = urllib.parse.urlsplit(url)
        self._token = token
        self._ca_file = ca_file

    def post(self, body: bytes) -> str | None:
        """Post once; return the version's name if it exists, None if it is stored only.

        Raises
        ------
        UserFailure
            It is refused for good.
        OperatorUnavailableError
            Anything that may heal.
        """
        try:
            status, answer = self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise OperatorUnavailableError(f"The operator can't be reached: {error}.") from error
        if status == http.HTTPStatus.OK:
            return str(answer.get("version", ""))
        if status == http.HTTPStatus.ACCEPTED:
            return None
        sentence = str(answer.get("error") or "it gave no reason").rstrip(".")
        if 400 <= status < 500 and status not in TRANSIENT:
            raise UserFailure(f"The operator refuses the {self._what} ({status}): {sentence}.")
        raise OperatorUnavailableError(f"The operator did not take the {self._what} ({status}): {sentence}.")

    def _exchange(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Send one request on a connection of its own; redirects are not followed."""
        context = ssl.create_default_context(cafile=self._ca_file)
        connection = http.client.HTTPSConnection(
            self._url.hostname or "", self._url.port, timeout=TIMEOUT_SECONDS, context=context
        )
        headers = {
            "Authorization": f"Bearer {self._token.read_text().strip()}",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        try:
            connection.request("POST", self._url.path or "/", body, headers)
            response = connection.getresponse()
            raw = response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = {}
        return response.status, answer if isinstance(answer, dict) else {}


def wait_for_version(operator: OperatorClient, body: bytes, pause: Callable[[float, str], None]) -> str:
    """Post until the version exists and return its name.

    Parameters
    ----------
    operator : OperatorClient
        Where.
    body : bytes
        The record.
    pause : Callable[[float, str], None]
        Sleeps for some seconds and says why, or raises when the time is over.

    Raises
    ------
    UserFailure
        The record is refused for good.
    OperatorUnavailableError
        It can't be taken now; the caller begins again.
    """
    seconds = POLL_SECONDS
    while True:
        version = operator.post(body)
        if version is not None:
            return version
        pause(seconds, "The operator has stored the record, but has not made a version of it.")
        seconds = min(seconds * 1.5, MAX_POLL_SECONDS)
