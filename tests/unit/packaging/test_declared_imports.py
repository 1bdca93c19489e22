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
PACKAGES = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob("images/*/steadfit_*/__init__.py"))
LIBRARIES = ["images/artifact/steadfit_artifact"]
CODE = {"operator": "operator/steadfit"} | {path.parts[1]: str(path) for path in PACKAGES if str(path) not in LIBRARIES}
DOCKERFILES = sorted(
    path.relative_to(ROOT)
    for pattern in ("images/*", "manifests/examples/*/image", "tests/cluster/images/*")
    for path in ROOT.glob(f"{pattern}/Dockerfile")
)
# What imports a module by a name that no reader of the source sees.
DYNAMIC = {"__import__", "import_module", "resolve_name", "run_module", "run_path", "spec_from_file_location"}
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
    """Return the modules of a package, or the module of a single file."""
    top = ROOT / folder
    if top.is_file():
        return {top.stem: top} if top.suffix == ".py" else {}
    found = {}
    for path in top.rglob("*.py"):
        parts = path.relative_to(top.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@pytest.mark.parametrize("name", CODE)
def test_an_extra_names_exactly_what_its_code_imports(name: str) -> None:
    own = modules_of(CODE[name])
    libraries = {module: path for folder in LIBRARIES for module, path in modules_of(folder).items()}
    imported = third_party(own | libraries, own)
    assert {each: sorted(imported[each]) for each in set(imported) - extra(name)} == {}
    assert extra(name) - set(imported) == set(INDIRECT.get(name, {}))


def copied(dockerfile: Path) -> list[str]:
    """Return what of the repository an image has, as its Dockerfile copies it."""
    return re.findall(r"^COPY (?!--)(\S+) /app/", (ROOT / dockerfile).read_text(), re.MULTILINE)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=str)
def test_an_image_installs_what_the_code_in_it_imports(dockerfile: Path) -> None:
    installed = set[str]().union(*map(extra, re.findall(r"--extra (\S+)", (ROOT / dockerfile).read_text())))
    folders = copied(dockerfile)
    modules: dict[str, Path] = {}
    for folder in folders:
        modules |= modules_of(folder)
    roots = [name for folder in folders if folder not in LIBRARIES for name in modules_of(folder)]
    imported = third_party(modules, roots)
    assert {each: sorted(imported[each]) for each in set(imported) - installed} == {}


def test_every_module_of_the_images_is_in_an_image() -> None:
    places = [ROOT / folder for dockerfile in DOCKERFILES for folder in copied(dockerfile)]
    modules = [path for top in ("images", "manifests", "operator") for path in (ROOT / top).rglob("*.py")]
    assert [str(path) for path in modules if not any(path.is_relative_to(place) for place in places)] == []


@pytest.mark.parametrize("top", ["images", "manifests", "operator"])
def test_no_module_is_imported_by_a_name_that_is_computed(top: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / top).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id in DYNAMIC)
        or (isinstance(node, ast.Attribute) and node.attr in DYNAMIC)
        or (isinstance(node, ast.ImportFrom) and any(alias.name in DYNAMIC for alias in node.names))
    ]
    assert found == []


def test_the_groups_dev_and_demo_name_what_tests_and_benchmarks_import_beside_the_extras() -> None:
    groups = PROJECT["dependency-groups"]
    declared = requirements([*groups["dev"], *groups["demo"]]).union(*map(extra, CODE))
    modules: dict[str, Path] = {}
    for folder in (*CODE.values(), *LIBRARIES, "tests", "benchmarks"):
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
