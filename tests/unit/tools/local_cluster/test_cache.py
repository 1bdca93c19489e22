import threading
import time
from pathlib import Path

import pytest

from tests.tools.local_cluster.cache import Cache, exclusive, key, tree_key


def test_the_key_tells_lists_apart_that_join_to_the_same_text() -> None:
    assert key("ab", "c") != key("a", "bc")
    assert key("a") == key(b"a")


def test_the_tree_key_follows_content_name_and_executable_bit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    first = tree_key(tmp_path, [tmp_path])
    file.write_text("2")
    second = tree_key(tmp_path, [tmp_path])
    file.chmod(0o755)
    third = tree_key(tmp_path, [tmp_path])
    file.rename(tmp_path / "b")
    fourth = tree_key(tmp_path, [tmp_path])
    assert len({first, second, third, fourth}) == 4
    assert tree_key(tmp_path, [tmp_path], "extra") != fourth


def test_byte_code_does_not_change_the_tree_key(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = tree_key(tmp_path, [tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert tree_key(tmp_path, [tmp_path]) == before


def test_an_input_that_is_missing_is_an_error_and_no_key(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tree_key(tmp_path, [tmp_path / "absent"])


def test_an_entry_is_built_once(tmp_path: Path) -> None:
    built = []

    def build(directory: Path) -> None:
        built.append(directory)
        (directory / "file").write_text("x")

    cache = Cache(tmp_path)
    first = cache.directory("bin", "tool", "k1", build)
    assert cache.directory("bin", "tool", "k1", build) == first
    assert (first / "file").read_text() == "x"
    assert len(built) == 1
    assert cache.directory("bin", "tool", "k2", build) != first


def test_an_interrupted_build_leaves_no_entry_and_is_begun_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fails(directory: Path) -> None:
        (directory / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.directory("bin", "tool", "k", fails)
    entry = cache.directory("bin", "tool", "k", lambda directory: (directory / "whole").touch())
    assert [path.name for path in entry.iterdir()] == ["whole"]


def test_who_finds_the_lock_held_says_so_and_gets_it_afterwards(tmp_path: Path) -> None:
    lock, events = tmp_path / "deep" / "lock", list[str]()

    def second() -> None:
        with exclusive(lock, lambda: events.append("waits")):
            events.append("second")

    with exclusive(lock, lambda: events.append("first waits")):
        other = threading.Thread(target=second)
        other.start()
        while not events:
            time.sleep(0.01)
        events.append("first")
    other.join(10)
    assert events == ["waits", "first", "second"]
