"""Prediction tokens: what they say, and that nobody else can make them say something."""

import base64
import string
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit_server.feedback.token import TokenError, Tokens, new_prediction_id
from steadfit_server.model.output_semantics import OutputSemantics, identity

ID = bytes(range(16))
BINARY = OutputSemantics("binary", ("early", "late"), 1)


def tokens(
    secret: bytes = b"secret",
    namespace: str = "team",
    model: str = "flights",
    version: str = "7",
    revision: str = "aa",
) -> Tokens:
    return Tokens(secret, namespace, model, version, revision)


def signed(semantics: OutputSemantics = BINARY, predicted: list[Any] | None = None, by: Tokens | None = None) -> str:
    return (
        (by or tokens())
        .signer(semantics)
        .sign(ID, 1_800_000_000.9, np.array([0.5] if predicted is None else predicted))
    )


def reason(text: str, by: Tokens | None = None) -> str:
    with pytest.raises(TokenError) as refused:
        (by or tokens()).verify(text)
    return refused.value.reason


def test_a_token_says_version_revision_time_id_and_each_rows_score() -> None:
    token = tokens().verify(signed(predicted=[0.0, 0.25, 1.0]))
    assert (token.version, token.revision, token.task) == ("7", "aa", "binary")
    assert (token.at, token.prediction_id) == (1_800_000_000, ID.hex())
    assert (token.positive, token.negative) == (identity("late"), identity("early"))
    assert token.predicted.tolist() == [0, 16380, 65520]


@given(st.lists(st.floats(-0.0009765625, 1.0009765625, width=32), min_size=1, max_size=4))
def test_a_score_is_kept_to_a_65520th(scores: list[float]) -> None:
    kept = tokens().verify(signed(predicted=scores)).predicted / 65520
    assert np.abs(kept - np.clip(scores, 0, 1)).max() <= 0.5001 / 65520


def test_a_token_of_several_classes_says_each_rows_class_whatever_its_index() -> None:
    text = signed(OutputSemantics("multiclass", ("a", "b", "c")), ["c", "a", "new"])
    assert tokens().verify(text).predicted.tolist() == [identity("c"), identity("a"), identity("new")]


def test_a_regressions_values_are_kept_whole() -> None:
    values = [0.1, -1e300, 12_345_678.9]
    assert tokens().verify(signed(OutputSemantics("regression"), values)).predicted.tolist() == values


def test_every_replica_and_version_of_the_model_reads_the_others_tokens() -> None:
    assert tokens(version="8", revision="bb").verify(signed()).version == "7"


@given(st.data())
def test_a_token_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(signed() + "=="))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    changed = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert reason(changed) == ("malformed" if place == 0 else "other_model" if place < 5 else "forged")


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_token_whose_last_letter_is_changed_is_refused(rows: int) -> None:
    token = signed(predicted=[0.5] * rows)
    letters = string.ascii_letters + string.digits + "-_"
    others = [token[:-1] + letter for letter in letters if letter != token[-1]]
    assert {reason(other) for other in others} <= {"malformed", "forged"}


def test_a_token_signed_with_other_credentials_is_forged() -> None:
    assert reason(signed(by=tokens(b"other"))) == "forged"


@pytest.mark.parametrize(("namespace", "model"), [("team", "boats"), ("other", "flights")])
def test_a_token_of_another_model_is_told_from_a_forgery(namespace: str, model: str) -> None:
    assert reason(signed(by=tokens(namespace=namespace, model=model))) == "other_model"


def test_a_name_in_another_models_token_can_not_be_replaced_by_ours() -> None:
    raw = bytearray(base64.urlsafe_b64decode(signed(by=tokens(model="boats")) + "=="))
    raw[1:5] = base64.urlsafe_b64decode(signed() + "==")[1:5]
    assert reason(base64.urlsafe_b64encode(raw).decode()) == "forged"


@given(st.text(max_size=80))
def test_any_other_text_is_malformed(text: str) -> None:
    assert reason(text) in ("malformed", "other_model")


@pytest.mark.parametrize("text", ["", "AQ", "AAAA", "a b", "é", "x" * 5])
def test_what_is_no_token_is_malformed(text: str) -> None:
    assert reason(text) == "malformed"


def test_true_1_and_1_0_are_one_class_and_the_text_1_is_another() -> None:
    assert identity(True) == identity(1) == identity(1.0)
    assert len({identity(label) for label in (0, 1, "1", "0", "true", 0.5)}) == 6


def test_a_token_of_one_row_is_short_and_of_ten_thousand_is_not_long() -> None:
    assert len(signed()) < 100
    assert len(signed(predicted=[0.5] * 10_000)) < 28_000


def test_prediction_ids_differ() -> None:
    assert len({new_prediction_id() for _ in range(1000)}) == 1000


def test_signing_takes_little_of_a_request() -> None:
    signer, best, score = tokens().signer(BINARY), 1.0, np.array([0.5])
    for _ in range(200):
        start = time.perf_counter()
        signer.sign(ID, 0, score)
        best = min(best, time.perf_counter() - start)
    assert best < 50e-6
