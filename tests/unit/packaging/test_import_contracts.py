"""The import contracts fail when one is crossed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = (
    "operator/steadfit",
    "images/artifact/steadfit_artifact",
    "images/sdk/steadfit_sdk",
    "images/server/steadfit_server",
    "images/trainer/steadfit_trainer",
)


CROSSINGS = {
    "steadfit/core/series.py": "steadfit_server.telemetry.series",
    "steadfit/api/metrics.py": "steadfit_trainer.metrics.registry",
    "steadfit_trainer/metrics/registry.py": "steadfit.api.metrics",
    "steadfit/core/monitors/thresholds.py": "steadfit.core.plans.training_job",
    "steadfit/core/text.py": "time",
    "steadfit/kube/cache.py": "steadfit.app.engine.observe",
    "steadfit_server/model/interface.py": "steadfit_server.http.app",
    "steadfit_trainer/data/tables.py": "steadfit_trainer.steps.fetch",
}


def test_every_import_across_a_floor_breaks_a_contract(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, imported in CROSSINGS.items():
        with (tmp_path / module).open("a") as file:
            file.write(f"\nimport {imported}  # planted\n")
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = " ".join(done.stdout.split())
    found = {module: imported for module, imported in CROSSINGS.items() if f"{dotted(module)} -> {imported}" in said}
    assert done.returncode == 1
    assert found == CROSSINGS


def dotted(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")
