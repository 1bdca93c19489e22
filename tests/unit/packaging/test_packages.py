"""What import contracts do not see: a folder without `__init__.py`, and a circle of a package and a module in it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

import pytest

from tests.unit.packaging.test_declared_imports import imports, modules_of

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


Graph = Mapping[str, Set[str]]


def graph_of(package: Path) -> Graph:
    """Return which modules of the package each one imports."""
    modules = modules_of(str(package.relative_to(ROOT)))
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        parent = name if path.name == "__init__.py" else name.rpartition(".")[0]
        names = {
            next((each for each in (it, it.rpartition(".")[0]) if each in modules), "") for it in imports(path, parent)
        }
        found[name] = names - {"", name}
    return found


def circles(graph: Graph) -> list[str]:
    """Return the modules that the `__init__.py` of a package above imports, and that import it in turn."""
    return sorted(
        f"{package} imports {module}, which imports it"
        for package, imported in graph.items()
        for module in imported
        if module.startswith(f"{package}.") and package in _reached(graph, module)
    )


def _reached(graph: Graph, module: str) -> set[str]:
    reached, queue = set[str](), [module]
    while queue:
        new = graph[queue.pop()] - reached
        reached |= new
        queue += new
    return reached


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_package_is_in_a_circle_with_a_module_in_it(package: Path) -> None:
    graph = graph_of(package)
    assert any(graph.values())
    assert circles(graph) == []


def test_a_circle_of_a_package_and_a_module_in_it_is_found() -> None:
    graph = {"plans": {"plans.job"}, "plans.job": {"plans.parts"}, "plans.parts": {"plans"}, "plans.other": {"plans"}}
    assert circles(graph) == ["plans imports plans.job, which imports it"]
