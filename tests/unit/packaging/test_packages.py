"""Every folder of a package is a package: import contracts do not see modules in a folder without `__init__.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = sorted([ROOT / "operator/steadfit", *(path.parent for path in ROOT.glob("images/*/steadfit_*/__init__.py"))])


def without_init(package: Path) -> list[str]:
    """Return the folders at or below a package that have modules, but no `__init__.py`, nor a parent that is one."""
    folders = {
        folder
        for module in package.rglob("*.py")
        for folder in module.parents
        if folder == package or folder.is_relative_to(package)
    }
    return sorted(
        str(folder.relative_to(package.parent)) for folder in folders if not (folder / "__init__.py").exists()
    )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_folder_with_modules_is_a_package(package: Path) -> None:
    assert without_init(package) == []


def test_all_packages_are_looked_at() -> None:
    names = {"steadfit", "steadfit_artifact", "steadfit_sdk", "steadfit_server", "steadfit_trainer"}
    assert {package.name for package in PACKAGES} == names


def test_a_folder_without_init_is_found_also_between_packages(tmp_path: Path) -> None:
    for name in ("steadfit/__init__.py", "steadfit/core/extra/deep/__init__.py", "steadfit/kube/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert without_init(tmp_path / "steadfit") == ["steadfit/core", "steadfit/core/extra"]
