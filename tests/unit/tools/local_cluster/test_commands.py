import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.local_cluster import bringup, shell
from tests.tools.local_cluster.settings import REPOSITORY, Settings


def test_make_help_lists_the_project_commands() -> None:
    command = ["make", "--silent", "--no-print-directory", "help"]
    text = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    listed = " ".join(line.split()[0] for line in text.splitlines())
    assert listed == "demo test fast bench bring-up check crds images cluster-up install env cluster-down environment"


def test_the_environment_names_our_daemon_only_where_it_is_ours(tmp_path: Path) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    assert "DOCKER_HOST" not in bringup.environment(settings, "/bin")
    (settings.state / "engine").mkdir(parents=True)
    assert bringup.environment(settings, "/bin")["DOCKER_HOST"] == f"unix://{settings.state}/engine/docker.sock"


def test_the_environment_can_be_evaluated_twice(tmp_path: Path) -> None:
    settings = Settings.from_environment({"HOME": str(tmp_path)})
    once = bringup.environment(settings, "/bin")
    assert once["PATH"] == f"{settings.bin}:/bin"
    assert bringup.environment(settings, once["PATH"]) == once


def test_an_existing_cluster_keeps_the_kubeconfig_of_its_user_and_has_the_store_at_a_node(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "CLUSTER": "existing", "REGISTRY": "r.example/p"}
    settings = Settings.from_environment(env)
    settings.bin.mkdir(parents=True)
    (settings.bin / "kubectl").write_text("#!/bin/sh\necho 192.0.2.7\n")
    (settings.bin / "kubectl").chmod(0o755)
    exports = bringup.environment(settings, "/bin")
    assert "KUBECONFIG" not in exports
    assert exports["STEADFIT_REGISTRY"] == "r.example/p"
    assert exports["STEADFIT_STORE_ENDPOINT"] == "http://192.0.2.7:30070"
    assert exports["STEADFIT_PROMETHEUS_URL"] == "http://192.0.2.7:30080"
    assert exports["STEADFIT_ALERTMANAGER_URL"] == "http://192.0.2.7:30081"


def test_an_existing_cluster_is_never_taken_down(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "CLUSTER": "existing", "REGISTRY": "r.example/p"}
    with pytest.raises(shell.BringUpError, match="yours"):
        bringup.down(Settings.from_environment(env))


def test_a_failed_program_is_reported_with_the_end_of_what_it_said() -> None:
    with pytest.raises(shell.CommandError, match=r"status 3(.|\n)*last words"):
        shell.run(["sh", "-c", "echo first; echo last words >&2; exit 3"])


def test_a_program_that_is_missing_or_hangs_is_a_sentence_too() -> None:
    with pytest.raises(shell.CommandError, match="no-such-program is not installed"):
        shell.run(["no-such-program"])
    with pytest.raises(shell.CommandError, match="no answer within"):
        shell.run(["sleep", "30"], timeout=0.1)


def test_a_step_shows_what_it_does_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with shell.step("building"):
        pass
    with pytest.raises(RuntimeError), shell.step("breaking"):
        raise RuntimeError
    shown = capsys.readouterr().err
    assert "✓ building" in shown
    assert "✗ breaking" in shown


def test_a_wrong_setting_ends_the_command_with_its_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.local_cluster", "env"],
        cwd=REPOSITORY, env={"HOME": str(tmp_path), "CLUSTER": "nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "CLUSTER=nowhere is unknown" in done.stderr
    assert "Traceback" not in done.stderr
