from pathlib import Path

import pytest

from tests.unit.trainer.run_pod import RunPod
from tests.unit.trainer.training import trained


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template") / "steadfit"


@pytest.fixture
def pod(tmp_path: Path, template: Path) -> RunPod:
    """A run after fetch and train."""
    return trained(tmp_path, template)
