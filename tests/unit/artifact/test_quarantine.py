import json
from collections.abc import Iterator

import pytest
from obstore.store import MemoryStore
from steadfit_artifact.quarantine import NoteError, QuarantinedError, known, read, refuse
from steadfit_artifact.store import AccessDeniedError, Store, StoreUnavailableError

URI = "s3://models/ns/flights/artifacts/sha256/abc/"
ENTRY = {"reason": "errors rose", "by": "ada (undo)", "at": "2026-01-01T00:00:00Z", "revision": "r1"}


def store_with(note: object) -> Store:
    store = Store("s3://models", MemoryStore())
    if note is not None:
        store.put(f"{URI}quarantine.json", note if isinstance(note, bytes) else json.dumps(note).encode())
    return store


def test_an_artifact_without_a_note_may_serve() -> None:
    assert read(store_with(None), URI) is None
    refuse(store_with(None), URI, "flights")


def test_an_artifact_is_refused_to_the_deployment_that_rolled_it_back_and_to_no_other() -> None:
    store = store_with({"schemaVersion": 1, "deployments": {"flights": ENTRY}})
    refuse(store, URI, "shadow")
    with pytest.raises(
        QuarantinedError,
        match=r"^Quarantined: this version was rolled back from ModelDeployment flights at 2026-01-01T00:00:00Z by ada"
        r" \(undo\) and takes no traffic until Release: errors rose$",
    ):
        refuse(store, URI, "flights")


def test_what_a_newer_writer_says_beside_is_no_hindrance() -> None:
    store = store_with({"schemaVersion": 1, "deployments": {"flights": {**ENTRY, "monitor": "errors"}}, "more": 1})
    assert known(store, URI)["flights"].reason == "errors rose"


@pytest.mark.parametrize(
    "note",
    [b"", b"{", b"[]", b"null", {"schemaVersion": 2, "deployments": {}}, {"deployments": {"flights": {"reason": "x"}}}],
    ids=["empty", "cut off", "a list", "null", "newer", "incomplete"],
)
def test_a_note_that_cannot_be_read_lets_nobody_pass(note: object) -> None:
    """It is only there because the artifact was rolled back somewhere."""
    with pytest.raises(NoteError, match=r"quarantine\.json says who rolled this artifact back, and can't be read"):
        refuse(store_with(note), URI, "flights")


class Failing(Store):
    def __init__(self, error: Exception) -> None:
        super().__init__("s3://models", MemoryStore())
        self._error = error

    def stream(self, uri: str) -> Iterator[bytes]:
        raise self._error


def test_a_store_that_hides_what_is_missing_does_not_keep_every_artifact_away() -> None:
    refuse(Failing(AccessDeniedError("The store refuses access.")), URI, "flights")


def test_a_store_that_does_not_answer_is_no_permission() -> None:
    with pytest.raises(StoreUnavailableError):
        refuse(Failing(StoreUnavailableError("The store is away.")), URI, "flights")
