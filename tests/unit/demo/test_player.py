"""The replay's pod can import what it is given, as it is imported here."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo import player


def test_the_modules_in_the_pod_are_all_that_the_replay_imports(tmp_path: Path) -> None:
    for path, file in player.MODULES.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(file.read_text())
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.demo.replay", "--help"],
        env={"PYTHONPATH": str(tmp_path)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Plays months of flights" in done.stdout


def test_the_pod_is_given_these_modules_at_these_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFIT_STORE_CLUSTER_ENDPOINT", "http://store")
    pod = player._pod("image", "http://m/infer", 2)
    config = player._config()
    volume = next(each for each in pod["spec"]["volumes"] if "configMap" in each)
    items = {each["key"]: each["path"] for each in volume["configMap"]["items"]}
    assert items == {key: path for key, (path, _) in player.MODULES.items()}
    assert config["data"].keys() == items.keys()
    assert sum(map(len, config["data"].values())) < 1024 * 1024


@pytest.mark.parametrize(("month", "share"), [(2, 1.0), (3, 0.25), (4, 0.0)])
def test_a_month_that_another_has_followed_is_over(month: int, share: float) -> None:
    assert player.played({"month": "month=2013-03", "played": 0.25}, month) == share
