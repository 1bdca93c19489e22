"""How a server learns from its pod's annotation that the traffic has left, and that it is back."""

import os
from pathlib import Path

import pytest
from steadfit_server.http.drain_file import DrainFile

from tests.unit.server.harness import INFER
from tests.unit.server.processes import Connection, request, serving, wait_for


def write(directory: Path, text: str, generation: int) -> Path:
    """Write the file as the kubelet does: a new directory, and a link to it that is replaced."""
    data = directory / f"..{generation}"
    data.mkdir()
    (data / "drain").write_text(text)
    link = directory / "..new"
    link.symlink_to(data.name)
    link.rename(directory / "..data")
    if generation == 0:
        (directory / "drain").symlink_to("..data/drain")
    return directory / "drain"


def test_a_server_drains_while_its_pod_is_told_to_and_no_longer(tmp_path: Path) -> None:
    pod = tmp_path / "pod"
    pod.mkdir()
    path = write(pod, "", 0)
    with serving(tmp_path, STEADFIT_DRAIN_FILE=str(path), STEADFIT_DRAIN_SECONDS="0.1") as server:
        server.wait_ready()
        idle = Connection(server.port)
        assert "connection" not in idle.ask(request()).headers

        write(pod, "true", 1)
        wait_for(lambda: server.ask(request()).headers.get("connection") == "close", server, 5)
        assert server.get("/v2/health/ready").status == 200
        assert not idle.closed_within(0.2)
        answer = idle.ask(request())
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert idle.closed_within(0.5)

        write(pod, "", 2)
        wait_for(lambda: server.ask(request()).headers.get("connection") is None, server, 5)
        server.terminate()
        assert server.exit_code() == 0
    assert [line["message"] for line in server.log_lines() if "traffic" in line["message"]] == [
        "the traffic has left",
        "the traffic is back",
    ]


def test_a_server_that_was_told_to_drain_still_ends_by_draining(tmp_path: Path) -> None:
    path = tmp_path / "drain"
    path.write_text("true")
    with serving(tmp_path, STEADFIT_DRAIN_FILE=str(path), STEADFIT_DRAIN_SECONDS="0.5") as server:
        server.wait_ready()
        server.terminate()
        assert server.ask(request(path=INFER)).status == 200
        assert server.exit_code() == 0


@pytest.mark.parametrize(("text", "told"), [("true", True), ("true\n", True), ("", False), ("false", False)])
def test_only_true_is_an_order_to_drain(tmp_path: Path, text: str, told: bool) -> None:
    assert DrainFile(write(tmp_path, text, 0)).requested() is told


def test_without_a_file_nobody_says_anything(tmp_path: Path) -> None:
    assert not DrainFile(tmp_path / "pod" / "drain").requested()


def test_a_moment_without_the_file_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "true", 0)
    file = DrainFile(path)
    assert file.requested()
    os.unlink(tmp_path / "..data")
    assert file.requested()
