import os

import pytest

from tests.tools.local_cluster import host
from tests.tools.local_cluster.shell import BringUpError

FULL = "CapBnd:\t000001ffffffffff\n"
WITHOUT_SYS_RESOURCE = "CapBnd:\t000001fffeffffff\n"


@pytest.mark.parametrize(("status", "has"), [(FULL, True), (WITHOUT_SYS_RESOURCE, False), ("Name: x\n", True)])
def test_the_bounding_set_tells_whether_resources_may_be_set(status: str, has: bool) -> None:
    assert host.bounding_set_has(host.CAP_SYS_RESOURCE, status) is has


@pytest.mark.parametrize(
    ("packages", "terminal", "assume_yes", "answer", "allowed"),
    [
        (["a"], True, False, "y\n", True),
        (["a"], True, False, "YES\n", True),
        (["a"], True, False, "\n", False),
        (["a"], True, False, "no\n", False),
        (["a"], True, False, None, False),
        (["a"], True, True, None, True),
        (["a"], False, False, None, True),
        ([], True, False, None, True),
    ],
)
def test_packages_are_installed_without_a_yes_only_where_nobody_can_answer(
    packages: list[str], terminal: bool, assume_yes: bool, answer: str | None, allowed: bool
) -> None:
    assert host.consent(packages, terminal=terminal, assume_yes=assume_yes, answer=answer) is allowed


def test_what_will_be_installed_and_why_is_said_before_anything_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []
    monkeypatch.setattr(host, "has_program", lambda name: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(host, "run", lambda command, **_: ran.append((command, capsys.readouterr().err)))
    host.install({"docker.io": "an engine"}, assume_yes=True)
    assert "docker.io" in ran[0][1]
    assert "an engine" in ran[0][1]
    assert ran[-1][0][-1] == "docker.io"


def test_an_ordinary_user_is_told_the_command_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "has_program", lambda name: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BringUpError, match=r"sudo apt-get install docker\.io"):
        host.install({"docker.io": "an engine"}, assume_yes=True)


def test_a_machine_without_apt_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "has_program", lambda name: False)
    with pytest.raises(BringUpError, match=r"no apt-get.*docker\.io"):
        host.install({"docker.io": "an engine"}, assume_yes=True)
