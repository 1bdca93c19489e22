"""Client of the operator's intake: POST the record until the version exists.

The same body is posted repeatedly: the operator answers 202 once it has stored the record, and 200 when the version
exists. So after a lost answer, a new leader or a restart of this container, the client only posts again.
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
# Temporary refusals: an expired token, a timeout, a conflict, too many requests.
TRANSIENT = frozenset({401, 408, 409, 429})


class OperatorUnavailableError(Exception):
    """The operator did not accept the record now; the message is a sentence."""


class OperatorClient:
    """Posts results to the operator's intake.

    Token and CA file are read for each request, because Kubernetes renews the token and the operator the CA.

    Parameters
    ----------
    url : str
        URL of the run's result (https).
    token : Path
        File with the bearer token.
    ca_file : Path | None
        File with the certificates to trust; None trusts the system's.
    what : str, default 'record'
        What is posted, for messages.
    """

    def __init__(self, url: str, token: Path, ca_file: Path | None, what: str = "record") -> None:
        self._what = what
        self._url = urllib.parse.urlsplit(url)
        self._token = token
        self._ca_file = ca_file

    def post(self, body: bytes) -> str | None:
        """Post once; return the version's name if it exists, None if the record is only stored.

        Raises
        ------
        UserFailure
            The body is refused permanently.
        OperatorUnavailableError
            The request failed temporarily.
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
        """Send one request on a new connection, without following redirects."""
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
        Client of the intake.
    body : bytes
        The record.
    pause : Callable[[float, str], None]
        Sleeps for some seconds with a reason, or raises when the deadline has passed.

    Raises
    ------
    UserFailure
        The record is refused permanently.
    OperatorUnavailableError
        The request failed temporarily; the caller retries.
    """
    seconds = POLL_SECONDS
    while True:
        version = operator.post(body)
        if version is not None:
            return version
        pause(seconds, "The operator has stored the record, but has not made a version of it.")
        seconds = min(seconds * 1.5, MAX_POLL_SECONDS)
