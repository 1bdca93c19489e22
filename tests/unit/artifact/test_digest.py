import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steadfit_artifact.digest import FileEntry, Manifest, data_digest, manifest_of, verify
from steadfit_artifact.errors import ArtifactError, DigestMismatchError

SHA = "0" * 64


def _artifact(directory: Path) -> str:
    (directory / "sub").mkdir()
    (directory / "model.onnx").write_bytes(b"model")
    (directory / "sub" / "b.json").write_bytes(b"{}")
    manifest = manifest_of(directory)
    (directory / "manifest.json").write_bytes(manifest.canonical())
    return manifest.digest


def test_the_digest_is_the_sha256_of_the_canonical_json_of_path_size_and_sha256_sorted_by_path(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    model, document = hashlib.sha256(b"model").hexdigest(), hashlib.sha256(b"{}").hexdigest()
    expected = (
        f'{{"files":[{{"path":"model.onnx","sha256":"{model}","size":5}},'
        f'{{"path":"sub/b.json","sha256":"{document}","size":2}}],"schemaVersion":1}}'
    )
    assert (tmp_path / "manifest.json").read_text() == expected
    assert digest == "sha256:" + hashlib.sha256(expected.encode()).hexdigest()


def test_an_untouched_artifact_verifies_and_gives_its_manifest(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    assert verify(tmp_path, digest).digest == digest
    assert verify(tmp_path, digest).size == 7


def test_one_flipped_byte_is_found_and_its_file_named(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"moeel")
    with pytest.raises(DigestMismatchError, match=r"^'model\.onnx' has sha256 .* its contents were changed\.$"):
        verify(tmp_path, digest)


def test_a_cut_file_is_found_by_its_size(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"mod")
    with pytest.raises(DigestMismatchError, match=r"'model\.onnx' has 3 bytes, but its manifest says 5"):
        verify(tmp_path, digest)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    (tmp_path / "sub" / "b.json").unlink()
    with pytest.raises(DigestMismatchError, match=r"'sub/b\.json' of the artifact is absent"):
        verify(tmp_path, digest)


def test_a_file_too_many_is_named(tmp_path: Path) -> None:
    digest = _artifact(tmp_path)
    (tmp_path / "extra.txt").write_text("x")
    with pytest.raises(DigestMismatchError, match=r"'extra\.txt' does not belong"):
        verify(tmp_path, digest)


def test_another_manifest_is_refused_by_its_digest(tmp_path: Path) -> None:
    _artifact(tmp_path)
    with pytest.raises(DigestMismatchError, match=f"but sha256:{SHA} is expected"):
        verify(tmp_path, f"sha256:{SHA}")


def test_a_directory_without_manifest_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        verify(tmp_path, f"sha256:{SHA}")


def test_symbolic_links_to_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    for target in (tmp_path / "a", tmp_path):
        link = tmp_path / "link"
        link.symlink_to(target)
        with pytest.raises(ArtifactError, match="'link' is a symbolic link"):
            manifest_of(tmp_path)
        link.unlink()


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="'pipe' is not a plain file"):
        manifest_of(tmp_path)


@pytest.mark.parametrize(
    "path",
    ["../a", "/a", "a/../b", "a//b", "", ".", "..", "a\\b", "a\nb", ".hidden", "a/.b", "ä", "manifest.json", "x" * 129],
)
def test_a_path_that_leaves_the_directory_or_is_no_plain_name_is_refused(path: str) -> None:
    with pytest.raises(ArtifactError, match="can't be a file of an artifact"):
        Manifest((FileEntry(path, 1, SHA),))


def test_a_path_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ArtifactError, match="names 'a' twice"):
        Manifest((FileEntry("a", 1, SHA), FileEntry("a", 2, SHA)))


def test_no_files_and_too_many_files_are_refused() -> None:
    with pytest.raises(ArtifactError, match="has no files"):
        Manifest(())
    with pytest.raises(ArtifactError, match="has 65 files; at most 64"):
        Manifest(tuple(FileEntry(str(index), 1, SHA) for index in range(65)))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("x", "is not a manifest"),
        ("[]", "is not a manifest"),
        ('{"schemaVersion":1}', "is not a manifest"),
        ('{"schemaVersion":2,"files":[]}', "has schema version 2; this release reads 1"),
        ('{"schemaVersion":1,"files":[{"path":"a","size":"1","sha256":"x"}]}', "without a path or size"),
        ('{"schemaVersion":1,"files":[{"path":"a","size":-1,"sha256":"x"}]}', "without a path or size"),
        ('{"schemaVersion":1,"files":[{"path":"a","size":1,"sha256":"x"}]}', "sha256 of 'a' is not 64 hex digits"),
    ],
)
def test_a_wrong_manifest_is_refused_in_a_sentence(document: str, sentence: str) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        Manifest.parse(document.encode())


@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), st.integers(0, 2**50), min_size=1, max_size=8))
def test_a_manifest_survives_being_written_and_read_whatever_the_order_of_its_files(files: dict[str, int]) -> None:
    entries = [FileEntry(path, size, SHA) for path, size in files.items()]
    manifest = Manifest(tuple(entries))
    assert Manifest.parse(manifest.canonical()) == manifest == Manifest(tuple(reversed(entries)))


def test_the_data_digest_depends_on_paths_and_contents_but_not_on_order() -> None:
    one, two = FileEntry("month=1/a", 1, SHA), FileEntry("month=2/a", 2, SHA)
    canonical = json.dumps(
        [{"path": each.path, "sha256": SHA, "size": each.size} for each in (one, two)], separators=(",", ":")
    )
    assert data_digest([two, one]) == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    assert data_digest([one]) != data_digest([one, two]) != data_digest([one, FileEntry("month=2/a", 2, "1" * 64)])
