from pathlib import Path

import pytest

from tests.tools.local_cluster.settings import Settings


def test_cache_and_state_follow_the_xdg_directories() -> None:
    plain = Settings.from_environment({"HOME": "/home/a"})
    assert plain.cache == Path("/home/a/.cache/steadfit")
    assert plain.state == Path("/home/a/.local/state/steadfit")
    xdg = Settings.from_environment({"HOME": "/h", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"})
    assert (xdg.cache, xdg.state) == (Path("/c/steadfit"), Path("/s/steadfit"))


def test_cache_and_state_can_be_put_elsewhere() -> None:
    settings = Settings.from_environment({"HOME": "/h", "STEADFIT_CACHE": "/x/c", "STEADFIT_STATE": "/x/s"})
    assert (settings.cache, settings.state) == (Path("/x/c"), Path("/x/s"))


def test_an_existing_cluster_needs_a_registry_both_sides_can_reach() -> None:
    with pytest.raises(ValueError, match="REGISTRY"):
        Settings.from_environment({"HOME": "/h", "CLUSTER": "existing"})
    settings = Settings.from_environment({"HOME": "/h", "CLUSTER": "existing", "REGISTRY": "r.example/p"})
    assert settings.existing
    assert settings.registry == "r.example/p"


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="CLUSTER=minikube"):
        Settings.from_environment({"HOME": "/h", "CLUSTER": "minikube"})


@pytest.mark.parametrize(("value", "yes"), [("", False), ("0", False), ("1", True)])
def test_yes_is_said_by_one(value: str, yes: bool) -> None:
    assert Settings.from_environment({"HOME": "/h", "YES": value}).assume_yes is yes
