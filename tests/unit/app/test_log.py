from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from steadfit.app.log import configure


@pytest.fixture
def lines() -> Iterator[Any]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level


def test_every_line_is_json_with_time_level_and_logger(lines: Any) -> None:
    logging.getLogger("steadfit.x").info("hello %s", "you")
    (line,) = lines()
    assert (line["message"], line["level"], line["logger"]) == ("hello you", "info", "steadfit.x")
    assert line["time"].endswith("Z")


def test_lines_of_a_pass_name_its_object(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(kind="TrainingJob", namespace="ns", name="flights"):
        logging.getLogger("anything.at.all").warning("refused")
    logging.getLogger("steadfit").info("afterwards")
    during, after = lines()
    assert (during["kind"], during["namespace"], during["name"]) == ("TrainingJob", "ns", "flights")
    assert "name" not in after


def test_lines_of_kopf_name_their_object_alike(lines: Any) -> None:
    reference = {"kind": "TrainingJob", "namespace": "ns", "name": "flights", "uid": "u"}
    logging.getLogger("kopf.anything").error("failed", extra={"k8s_ref": reference, "settings": object()})
    (line,) = lines()
    assert (line["kind"], line["name"], line["message"]) == ("TrainingJob", "flights", "failed")
    assert "settings" not in line


def test_a_traceback_stays_in_its_line(lines: Any) -> None:
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        logging.getLogger("steadfit").exception("the pass failed")
    (line,) = lines()
    assert "RuntimeError: a bug" in line["exception"]


def test_the_level_holds_for_all(lines: Any) -> None:
    logging.getLogger("steadfit").debug("detail")
    logging.getLogger("kopf.objects").info("Handler 'watch' succeeded.")
    assert lines() == []
