import os
from pathlib import Path

import pytest

from tests.tools.local_cluster.engine import Engine
from tests.tools.local_cluster.pull import pullable, shows_progress


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("a1b2c3: Pulling fs layer", True),
        ("Digest: sha256:00ff", True),
        ("3.11-slim: Pulling from library/python", False),
        ("Error response from daemon: no such host", False),
    ],
)
def test_a_layer_or_a_digest_proves_that_the_registry_answers(line: str, progress: bool) -> None:
    assert shows_progress(line) is progress


def engine_saying(tmp_path: Path, pull: str) -> Engine:
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\n[ "$1" = image ] && exit 1\n{pull}\n')
    program.chmod(0o755)
    return Engine(ours=False, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_a_registry_that_refuses_cannot_be_pulled_from(tmp_path: Path) -> None:
    assert not pullable(engine_saying(tmp_path, "echo denied; exit 1"), "x")


def test_a_registry_that_says_nothing_is_given_up_after_a_short_patience(tmp_path: Path) -> None:
    assert not pullable(engine_saying(tmp_path, "exec sleep 30"), "x", patience=0.3)


def test_a_slow_download_that_has_begun_is_waited_for(tmp_path: Path) -> None:
    engine = engine_saying(tmp_path, "echo 'a: Pulling fs layer'; sleep 1; echo done")
    assert pullable(engine, "x", patience=0.5)


def test_an_image_the_engine_has_is_not_pulled(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\n[ "$1" = image ]\n')
    program.chmod(0o755)
    assert pullable(Engine(ours=False, env={}), "x")
