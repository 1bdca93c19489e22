"""Every image installs one extra of pyproject.toml, so that extra has to name what the image's code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The code of each extra. What it imports from other folders of the repository is followed: the SDK imports a part of
# the artifact package, and needs no object store. (deptry, the usual tool, takes all extras as one.)
CODE = {
    "operator": "operator/steadfit",
    "trainer": "images/trainer/steadfit_trainer",
    "server": "images/server/steadfit_server",
    "sdk": "images/sdk/steadfit_sdk",
}
LIBRARIES = {"steadfit_artifact": "images/artifact/steadfit_artifact"}
# Declared without an import of ours, each with the reason.
INDIRECT = {
    "operator": {"tzdata": "zoneinfo reads it where the image has no time zones"},
}


def requirements(lines: Iterable[str]) -> set[str]:
    """Return the normalised names of requirements."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line, maxsplit=1)[0]).lower() for line in lines}


def extra(name: str) -> set[str]:
    return requirements(PROJECT["project"]["optional-dependencies"][name])


def imports(path: Path, package: str) -> Iterator[str]:
    """Yield the dotted names that a module imports, at any depth: a late import needs its package as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, [above, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def third_party(modules: Mapping[str, Path], roots: Iterable[str]) -> dict[str, set[str]]:
    """Return the distributions that modules import, directly or by others of `modules`, and where.

    Parameters
    ----------
    modules : mapping of str to Path
        The repository's own modules by dotted name.
    roots : iterable of str
        The modules to start from.
    """
    distributions, own = packages_distributions(), {name.split(".")[0] for name in modules}
    seen: set[str] = set()
    queue, found = list(roots), dict[str, set[str]]()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        path = modules[name]
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        if package in modules:
            queue.append(package)
        for imported in imports(path, package):
            top = imported.split(".")[0]
            if top in sys.stdlib_module_names:
                continue
            if top in own:
                queue += [each for each in (imported, imported.rpartition(".")[0]) if each in modules]
                continue
            for distribution in requirements(distributions[top]):
                found.setdefault(distribution, set()).add(name)
    return found


def modules_of(folder: str) -> dict[str, Path]:
    top = ROOT / folder
    found = {}
    for path in top.rglob("*.py"):
        parts = path.relative_to(top.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@pytest.mark.parametrize("name", CODE)
def test_an_extra_names_exactly_what_its_code_imports(name: str) -> None:
    own = modules_of(CODE[name])
    libraries = {module: path for folder in LIBRARIES.values() for module, path in modules_of(folder).items()}
    imported = third_party(own | libraries, own)
    assert {each: sorted(imported[each]) for each in set(imported) - extra(name)} == {}
    assert extra(name) - set(imported) == set(INDIRECT.get(name, {}))


def test_the_groups_dev_and_demo_name_what_tests_and_benchmarks_import_beside_the_extras() -> None:
    groups = PROJECT["dependency-groups"]
    declared = requirements([*groups["dev"], *groups["demo"]]).union(*map(extra, CODE))
    modules: dict[str, Path] = {}
    for folder in (*CODE.values(), *LIBRARIES.values(), "tests", "benchmarks"):
        modules |= modules_of(folder)
    imported = third_party(modules, modules)
    assert {each: sorted(imported[each]) for each in set(imported) - declared} == {}


def test_the_page_on_dependencies_gives_a_reason_for_each() -> None:
    groups = PROJECT["dependency-groups"]
    declared = requirements([*groups["dev"], *groups["demo"]]).union(*map(extra, CODE))
    page = (ROOT / "docs/design/dependencies.md").read_text().split("\n## ")[1]
    cells = {line.split("|")[1] for line in page.splitlines() if line.startswith("|")}
    listed = {re.sub(r" ?[(].*", "", name).strip().lower() for cell in cells for name in cell.split(",")}
    assert declared - listed == set()
