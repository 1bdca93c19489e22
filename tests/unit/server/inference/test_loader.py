"""What becomes of a server whose artifact can't be had or can't be used."""

import logging
import math
from collections.abc import Callable

import pytest
from steadfit_artifact.errors import DigestMismatchError
from steadfit_artifact.store import StoreUnavailableError
from steadfit_server.inference.lifecycle import Lifecycle
from steadfit_server.inference.loader import Loader
from steadfit_server.inference.predictor import Predictor

from tests.unit.server.harness import FakeModel


class Watched:
    """A loader that ends in its own thread; keeps what it told."""

    def __init__(self, load: Callable[[], Predictor], pause: float = 0.001, deadline: float = math.inf) -> None:
        self.lifecycle = Lifecycle()
        self.loaded: list[Predictor] = []
        self.failed: list[str] = []
        told = self.loaded.append, self.failed.append
        self.loader = Loader(load, self.lifecycle, "The store s3://b at http://s", pause, deadline, *told)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def good() -> Predictor:
    return Predictor(FakeModel(), 100, 1.0)


def test_a_loaded_model_makes_the_server_ready() -> None:
    watched = Watched(good)
    watched.loader.run()
    assert [watched.lifecycle.predictor] == watched.loaded
    assert watched.failed == []


def test_a_store_that_is_away_is_tried_again_with_growing_pauses_and_its_sentence_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reasons: list[str] = []

    def load() -> Predictor:
        assert watched.lifecycle.predictor is None
        reasons.append(watched.lifecycle.reason)
        if len(reasons) <= 4:
            raise StoreUnavailableError(f"The store does not answer ({len(reasons)}).")
        return good()

    watched = Watched(load)
    with caplog.at_level(logging.INFO):
        watched.loader.run()
    assert watched.lifecycle.predictor is not None
    assert reasons[1:] == [f"The store does not answer ({number})." for number in (1, 2, 3, 4)]
    pauses = [record.__dict__["fields"].get("retryInSeconds") for record in caplog.records]
    assert pauses == [0.001, 0.002, 0.004, 0.008, None]


def test_the_pause_between_attempts_has_an_upper_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("steadfit_server.inference.loader.time.sleep", pauses.append)

    def load() -> Predictor:
        if len(pauses) < 30:
            raise StoreUnavailableError("away")
        return good()

    Watched(load).loader.run()
    assert max(pauses) == pauses[-1] == 60.0


def test_a_store_that_stays_away_is_given_up_after_the_deadline_with_its_name_and_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, attempts = Clock(), list[float]()
    monkeypatch.setattr("steadfit_server.inference.loader.time", clock)

    def load() -> Predictor:
        attempts.append(clock.now - 1000)
        raise StoreUnavailableError("The store failed at s3://b/m: Connection refused.")

    watched = Watched(load, pause=1, deadline=60)
    watched.loader.run()
    assert attempts == [0, 1, 3, 7, 15, 31, 60]
    assert watched.failed == [
        "The store s3://b at http://s did not give the model in 60 s: The store failed at s3://b/m: Connection refused."
    ]
    assert watched.lifecycle.predictor is None


def test_a_store_that_is_back_for_the_last_attempt_gives_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("steadfit_server.inference.loader.time", clock)

    def load() -> Predictor:
        if clock.now < 1060:
            raise StoreUnavailableError("away")
        return good()

    watched = Watched(load, pause=1, deadline=60)
    watched.loader.run()
    assert watched.failed == []
    assert [watched.lifecycle.predictor] == watched.loaded


def test_an_artifact_that_can_not_be_used_is_told_once_and_never_ready() -> None:
    def load() -> Predictor:
        raise DigestMismatchError("model.onnx does not match its digest.")

    watched = Watched(load)
    watched.loader.run()
    assert watched.failed == ["model.onnx does not match its digest."]
    assert watched.lifecycle.predictor is None


def test_an_error_that_nobody_foresaw_ends_the_server_with_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Predictor:
        raise RuntimeError("graph has no outputs")

    watched = Watched(load)
    watched.loader.run()
    assert watched.failed == ["The model can't be loaded: RuntimeError: graph has no outputs"]
    assert caplog.records[0].exc_info is not None
