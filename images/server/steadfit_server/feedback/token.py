"""Prediction tokens: signed predictions that later outcomes are compared with, so that the server stores nothing.

Each answer carries a token. A caller posts it with the outcome to any replica (`handler.py`), which reads the model,
the version and the prediction from it, without a database and even if that version is no longer served.

A token is base64url, without padding, of

    format (1) | model (4) | task (1) | length, version | length, revision | binary: positive (4), negative (4)
    | seconds since 1970 (4) | prediction id (16) | prediction of each row | keyed BLAKE2b (16)

where the prediction of a row is the score in 65520ths (2), the class (4, `output_semantics.identity`) or the value (8).

The key is derived from the store's secret access key, which every pod of the ModelDeployment has in a file, and from
the names of namespace and model. So no one else can make a token, and a token of one model is refused by another. Keyed
BLAKE2b is a MAC (RFC 7693), and takes a quarter of the time of HMAC-SHA256 for a message this short.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from steadfit_artifact.reference import Task

from steadfit_server.model.output_semantics import OutputSemantics, identity

FORMAT = 1
MAC_BYTES = 16
# Fits two bytes, and the borders of the score bins are whole steps.
SCORE_STEPS = 65520
_TASKS: dict[Task, tuple[int, str]] = {"binary": (1, "<u2"), "multiclass": (2, "<u4"), "regression": (3, "<f8")}
_BY_CODE = {code: (task, dtype) for task, (code, dtype) in _TASKS.items()}
_HEAD = struct.Struct("<B4sB")
_CLASSES = struct.Struct("<II")
_EVENT = struct.Struct("<I16s")


class TokenError(Exception):
    """The token is not valid here.

    Parameters
    ----------
    reason : Literal['malformed', 'forged', 'other_model']
        `malformed`, `forged` or `other_model`.
    sentence : str
        The problem, for the caller.
    """

    def __init__(self, reason: Literal["malformed", "forged", "other_model"], sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True)
class Token:
    """The contents of a verified token.

    Attributes
    ----------
    version, revision : str
        Version and revision that predicted.
    task : Task
        Task of the model.
    positive, negative : int
        Identities of the classes in a binary classification, else 0.
    at : int
        Time of the prediction, in seconds since 1970.
    prediction_id : str
        Id of the answer, in hex.
    predicted : NDArray[Any]
        For each row the score in 65520ths, the identity of the class, or the value.
    """

    version: str
    revision: str
    task: Task
    positive: int
    negative: int
    at: int
    prediction_id: str
    predicted: NDArray[Any]


class Tokens:
    """Signs and verifies the tokens of one model.

    Parameters
    ----------
    secret : bytes
        The store's secret access key.
    namespace, model : str
        Namespace and name of the ModelDeployment.
    version, revision : str
        Version and revision that are served here.
    """

    def __init__(self, secret: bytes, namespace: str, model: str, version: str, revision: str) -> None:
        self._key = hmac.digest(secret, f"steadfit feedback v1\0{namespace}\0{model}".encode(), "sha256")
        self._model = hashlib.sha256(f"{namespace}\0{model}".encode()).digest()[:4]
        self._served = _text(version) + _text(revision)

    def signer(self, semantics: OutputSemantics) -> "Signer":
        """Return the signer of the served model's predictions."""
        code, dtype = _TASKS[semantics.task]
        prefix = _HEAD.pack(FORMAT, self._model, code) + self._served
        if semantics.task == "binary":
            positive, negative = semantics.positive, 1 - semantics.positive
            prefix += _CLASSES.pack(identity(semantics.classes[positive]), identity(semantics.classes[negative]))
        return Signer(self._key, prefix, semantics, dtype)

    def verify(self, text: str) -> Token:
        """Verify a token and return its contents.

        Raises
        ------
        TokenError
            The text is not a token, is of another model, or has a wrong signature.
        """
        raw = _decoded(text)
        body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if len(body) < _HEAD.size or body[0] != FORMAT:
            raise TokenError("malformed", "is no prediction token of this release.")
        # Before the signature, which differs for each model: so a token of another model is not reported as forged.
        if body[1:5] != self._model:
            raise TokenError("other_model", "is a token of another model's answer.")
        if not hmac.compare_digest(_mac(self._key, body), mac):
            raise TokenError(
                "forged", "was not signed here: it was changed, or the store's credentials have changed since."
            )
        return _parsed(body)


class Signer:
    """Signs the tokens of one model's answers."""

    def __init__(self, key: bytes, prefix: bytes, semantics: OutputSemantics, dtype: str) -> None:
        self._key = key
        self._prefix = prefix
        self._task = semantics.task
        self._dtype = dtype
        self._identities = {label: identity(label) for label in semantics.classes}

    def sign(self, prediction_id: bytes, at: float, predicted: NDArray[Any]) -> str:
        """Return the token of one answer; `predicted` is what `OutputSemantics.predicted` returns."""
        body = self._prefix + _EVENT.pack(int(at), prediction_id) + self._rows(predicted)
        return base64.urlsafe_b64encode(body + _mac(self._key, body)).rstrip(b"=").decode()

    def _rows(self, predicted: NDArray[Any]) -> bytes:
        if self._task == "binary":
            # A probability may exceed 1 by a rounding error.
            if len(predicted) == 1:
                return int(min(max(predicted.item(), 0.0), 1.0) * SCORE_STEPS + 0.5).to_bytes(2, "little")
            steps: NDArray[Any] = predicted * SCORE_STEPS
            steps += 0.5
            np.minimum(np.maximum(steps, 0, out=steps), SCORE_STEPS, out=steps)
            return steps.astype(self._dtype).tobytes()
        if self._task == "multiclass":
            known = self._identities
            labels = predicted.tolist()
            return np.array([known.get(label) or identity(label) for label in labels], self._dtype).tobytes()
        return predicted.astype(self._dtype).tobytes()


def new_prediction_id() -> bytes:
    """Return 16 unique bytes for an answer."""
    return os.urandom(16)


def _mac(key: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=MAC_BYTES, key=key).digest()


def _text(text: str) -> bytes:
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise TokenError("malformed", "is not base64url.") from None
    # The last letter may have bits that are not decoded: a token with other ones there was changed all the same.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.rstrip("=").encode():
        raise TokenError("malformed", "is not base64url.")
    return raw


def _parsed(body: bytes) -> Token:
    """Parse a body with a valid signature, which is well-formed."""
    task, dtype = _BY_CODE[body[5]]
    rest = body[_HEAD.size :]
    version, rest = rest[1 : 1 + rest[0]].decode(), rest[1 + rest[0] :]
    revision, rest = rest[1 : 1 + rest[0]].decode(), rest[1 + rest[0] :]
    positive, negative = 0, 0
    if task == "binary":
        positive, negative = _CLASSES.unpack_from(rest)
        rest = rest[_CLASSES.size :]
    at, prediction_id = _EVENT.unpack_from(rest)
    return Token(
        version, revision, task, positive, negative, at, prediction_id.hex(), np.frombuffer(rest[_EVENT.size :], dtype)
    )
