"""The links of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("benchmarks", "docs", "images", "manifests", "operator", "tests")
SOURCES = (".py", ".yaml", ".yml", ".md", "Dockerfile", "Makefile")

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
RECORD = re.compile(r"docs/design/(\d{4}[\w-]*)")


def files(*endings: str) -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.name.endswith(endings)]
    return sorted([*(path for path in ROOT.iterdir() if path.name.endswith(endings)), *found])


def links(text: str) -> Iterator[str]:
    yield from LINK.findall(CODE.sub("`", FENCED.sub("", text)))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCED.sub("", text)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-{sum(one.startswith(slug) for one in found)}")
    return found


def fault(page: Path, link: str) -> str | None:
    """Why a relative link of a page leads nowhere, or None."""
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"there is no {path}"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
        return f"{target.name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("page", files(".md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_resolves(page: Path) -> None:
    relative = [link for link in links(page.read_text()) if not re.match(r"[a-z]+:", link)]
    assert {link: why for link in relative if (why := fault(page, link))} == {}


def test_every_design_record_that_a_source_names_exists() -> None:
    records = {path.stem for path in (ROOT / "docs/design").glob("0*.md")}
    known = records | {name[:4] for name in records}
    named = {
        (str(path.relative_to(ROOT)), name) for path in files(*SOURCES) for name in RECORD.findall(path.read_text())
    }
    assert sorted((path, name) for path, name in named if name not in known) == []


def test_a_link_to_a_missing_page_or_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page: `code` and more\n\n```\n[not](a-link.md)\n```\n")
    assert list(links(page.read_text())) == []
    assert fault(page, "page.md#a-page-code-and-more") is None
    assert fault(page, "#a-page") == "page.md has no heading #a-page"
    assert fault(page, "gone.md") == "there is no gone.md"
