import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import MemoryStore
from pydantic import ValidationError
from steadfit_artifact import store as stores
from steadfit_artifact.digest import manifest_of
from steadfit_artifact.errors import ArtifactError, DigestMismatchError
from steadfit_artifact.store import (
    AccessDeniedError,
    ObjectExistsError,
    ObjectMissingError,
    Store,
    StoreConfig,
    StoredObject,
    StoreError,
    StoreUnavailableError,
)
from steadfit_artifact.transfer import artifact_uri, download, upload

from tests.unit.artifact.models import write_model
from tests.unit.trainer.tls import Authority


def _store() -> tuple[Store, MemoryStore]:
    bucket = MemoryStore()
    return Store("s3://lake/a/", bucket), bucket


def test_what_was_put_is_got_and_listed_by_uri() -> None:
    store, _ = _store()
    store.put("s3://lake/a/x/2", b"two")
    store.put("s3://lake/a/x/1", b"one")
    store.put("s3://lake/a/xy", b"other")
    assert store.get("s3://lake/a/x/1") == b"one"
    assert store.size("s3://lake/a/x/1") == 3
    assert store.list("s3://lake/a/x") == [
        StoredObject("s3://lake/a/x/1", "1", 3),
        StoredObject("s3://lake/a/x/2", "2", 3),
    ]


def test_a_store_for_a_whole_bucket_lists_it() -> None:
    store = Store("s3://lake", MemoryStore())
    store.put("s3://lake/x", b"1")
    assert store.list("s3://lake/") == [StoredObject("s3://lake/x", "x", 1)]


def test_nothing_outside_of_the_prefix_is_read_or_written() -> None:
    store, bucket = _store()
    obstore.put(bucket, "ab/secret", b"1")
    for uri in ("s3://lake/ab/secret", "s3://lake/b", "s3://other/a/x", "s3://lake", "file:///etc/passwd"):
        with pytest.raises(StoreError, match=r"is not below s3://lake/a, the prefix of its store"):
            store.get(uri)
    with pytest.raises(StoreError, match="can't be the name of an object"):
        store.get("s3://lake/a/../ab/secret")


def test_a_large_object_is_not_read_whole_by_accident() -> None:
    store, _ = _store()
    store.put("s3://lake/a/x", b"12345")
    with pytest.raises(StoreError, match="larger than 4 bytes"):
        store.get("s3://lake/a/x", max_bytes=4)


def test_creating_never_overwrites() -> None:
    store, _ = _store()
    store.put("s3://lake/a/x", b"1", create=True)
    with pytest.raises(ObjectExistsError):
        store.put("s3://lake/a/x", b"2", create=True)
    assert store.get("s3://lake/a/x") == b"1"


def test_a_missing_object_is_said_to_be_missing() -> None:
    with pytest.raises(ObjectMissingError, match=r"^There is no s3://lake/a/x, or no such bucket\.$"):
        _store()[0].get("s3://lake/a/x")


@pytest.mark.parametrize(
    "change",
    [
        {"uriPrefix": "gs://lake"},
        {"uriPrefix": "s3://"},
        {"uriPrefix": "/tmp/x"},
        {"s3": {"endpoint": "ftp://x"}},
        {"s3": {"endpont": "http://x"}},
        {"password": "x"},
    ],
)
def test_a_configuration_that_is_not_of_an_s3_store_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StoreConfig.model_validate({"uriPrefix": "s3://lake", "credentials": "/c"} | change)


def test_credentials_that_are_absent_or_empty_are_a_sentence_without_their_value(tmp_path: Path) -> None:
    config = StoreConfig(uri_prefix="s3://lake", credentials=tmp_path)
    with pytest.raises(AccessDeniedError, match="have no readable key AWS_ACCESS_KEY_ID"):
        Store.connect(config)
    (tmp_path / "AWS_ACCESS_KEY_ID").write_text("id\n")
    (tmp_path / "AWS_SECRET_ACCESS_KEY").write_text("\n")
    with pytest.raises(AccessDeniedError, match="AWS_SECRET_ACCESS_KEY is empty"):
        Store.connect(config)


# Over HTTP


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        server: Any = self.server
        body = (
            b"ok"
            if server.status == 200
            else b'<?xml version="1.0"?>\n<Error>\n<Code>SignatureDoesNotMatch</Code></Error>'
        )
        server.requests.append((self.path, self.headers["Host"], self.headers.get("Authorization", "")))
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def _serving(status: int, authority: Authority | None = None) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.status, server.requests = status, []
    if authority is not None:
        server.socket = authority.context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _connect(folder: Path, endpoint: str, **more: Any) -> Store:
    (folder / "AWS_ACCESS_KEY_ID").write_text("the-id")
    (folder / "AWS_SECRET_ACCESS_KEY").write_text("the-secret")
    return Store.connect(
        StoreConfig.model_validate(
            {"uriPrefix": "s3://lake/a", "s3": {"endpoint": endpoint}, "credentials": folder} | more
        )
    )


@pytest.fixture(autouse=True)
def _few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stores._RETRIES, "max_retries", 1)


def test_requests_are_signed_and_the_bucket_is_in_the_path_of_an_address(tmp_path: Path) -> None:
    with _serving(200) as server:
        store = _connect(tmp_path, f"http://127.0.0.1:{server.server_port}")
        assert store.get("s3://lake/a/x") == b"ok"
    path, _, authorization = server.requests[0]
    assert path == "/lake/a/x"
    assert "Credential=the-id/" in authorization
    assert "/us-east-1/s3/" in authorization
    assert "the-secret" not in authorization


def test_without_path_style_the_bucket_is_put_before_the_endpoints_host(tmp_path: Path) -> None:
    store = _connect(tmp_path, "https://s3.invalid:8443")
    with pytest.raises(StoreUnavailableError, match=r"https://lake\.s3\.invalid:8443/a/x"):
        store.get("s3://lake/a/x")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, ObjectMissingError),
        (500, StoreUnavailableError),
        (503, StoreUnavailableError),
    ],
)
@pytest.mark.parametrize("method", ["get", "size", "list"])
def test_each_answer_of_the_store_is_the_failure_it_means(
    tmp_path: Path, status: int, error: type[Exception], method: str
) -> None:
    with _serving(status) as server, pytest.raises(error) as caught:
        getattr(_connect(tmp_path, f"http://127.0.0.1:{server.server_port}"), method)("s3://lake/a/x")
    assert "s3://lake/a/x" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "the-secret" not in str(caught.value)
    assert len(server.requests) == (2 if status >= 500 else 1), "failures of the server are tried again"


def test_the_code_of_s3_is_in_the_sentence(tmp_path: Path) -> None:
    with _serving(403) as server, pytest.raises(AccessDeniedError, match=r"403 Forbidden \(SignatureDoesNotMatch\)\.$"):
        _connect(tmp_path, f"http://127.0.0.1:{server.server_port}").list("s3://lake/a/x")


def test_a_store_that_is_not_there_is_told_with_its_cause_and_every_time_in_the_same_words(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailableError) as failed:
            _connect(tmp_path, "http://127.0.0.1:9").get("s3://lake/a/x")
        assert str(failed.value) == (
            "The store failed at s3://lake/a/x: Generic S3 error: Error performing GET http://127.0.0.1:9/lake/a/x:"
            " HTTP error: error sending request (Connection refused)."
        )


def test_plain_http_is_never_spoken_where_the_endpoint_says_https(tmp_path: Path) -> None:
    with _serving(200) as server:
        with pytest.raises(StoreUnavailableError):
            _connect(tmp_path, f"https://127.0.0.1:{server.server_port}").get("s3://lake/a/x")
        assert server.requests == []


def test_a_private_authority_is_trusted_by_its_bundle_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with _serving(200, authority) as server:
        endpoint = f"https://127.0.0.1:{server.server_port}"
        assert _connect(tmp_path, endpoint, caBundle=authority.ca_file).get("s3://lake/a/x") == b"ok"
        with pytest.raises(StoreUnavailableError):
            _connect(tmp_path, endpoint).get("s3://lake/a/x")


def test_a_ca_bundle_without_certificates_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("garbage")
    with pytest.raises(StoreError, match=r"^The store s3://lake/a can't be used: "):
        _connect(tmp_path, "https://127.0.0.1:9", caBundle=tmp_path / "ca.crt")


# An artifact's way there and back


def _uploaded(folder: Path) -> tuple[Store, MemoryStore, str, str]:
    write_model(folder / "out")
    manifest = manifest_of(folder / "out")
    store, bucket = _store()
    uri = artifact_uri("s3://lake/a/ns/tj", manifest.digest)
    upload(store, uri, folder / "out", manifest)
    return store, bucket, uri, manifest.digest


def test_an_artifact_is_downloaded_as_it_was_uploaded(tmp_path: Path) -> None:
    store, _, uri, digest = _uploaded(tmp_path)
    assert uri == f"s3://lake/a/ns/tj/artifacts/sha256/{digest[7:]}/"
    (tmp_path / "in" / "old").mkdir(parents=True)
    assert download(store, uri, digest, tmp_path / "in").digest == digest
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [
        "manifest.json",
        "model.onnx",
        "signature.json",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: bytes([raw[0] ^ 1]) + raw[1:], r"'model\.onnx' has sha256 .* its contents were changed"),
        (lambda raw: raw[:-1], r"'model\.onnx' has \d+ bytes, but its manifest says"),
        (lambda raw: raw + b"x", r"'model\.onnx' has more than the \d+ bytes of its manifest"),
    ],
    ids=["flipped", "cut", "longer"],
)
def test_a_changed_file_is_found_on_the_way(tmp_path: Path, change: Any, sentence: str) -> None:
    store, _, uri, digest = _uploaded(tmp_path)
    store.put(uri + "model.onnx", change(store.get(uri + "model.onnx")))
    with pytest.raises(DigestMismatchError, match=sentence):
        download(store, uri, digest, tmp_path / "in")


def test_a_changed_manifest_is_found_before_any_file_is_fetched(tmp_path: Path) -> None:
    store, _, uri, digest = _uploaded(tmp_path)
    store.put(uri + "manifest.json", store.get(uri + "manifest.json") + b" ")
    with pytest.raises(DigestMismatchError, match="is expected"):
        download(store, uri, digest, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_manifest_can_not_make_a_file_outside_of_the_directory(tmp_path: Path) -> None:
    import hashlib

    raw = b'{"files":[{"path":"../evil","sha256":"' + b"0" * 64 + b'","size":1}],"schemaVersion":1}'
    store, _ = _store()
    store.put("s3://lake/a/x/manifest.json", raw)
    with pytest.raises(ArtifactError, match="can't be a file of an artifact"):
        download(store, "s3://lake/a/x/", "sha256:" + hashlib.sha256(raw).hexdigest(), tmp_path / "in")
    assert not (tmp_path / "evil").exists()


def test_an_upload_that_was_cut_has_no_manifest_and_is_no_artifact(tmp_path: Path) -> None:
    write_model(tmp_path / "out")
    manifest = manifest_of(tmp_path / "out")

    class Cut(Store):
        def put(self, uri: str, content: bytes | Path, *, create: bool = False) -> None:
            if uri.endswith("signature.json"):
                raise StoreUnavailableError("The store is gone.")
            super().put(uri, content, create=create)

    store = Cut("s3://lake/a", MemoryStore())
    with pytest.raises(StoreUnavailableError):
        upload(store, "s3://lake/a/x/", tmp_path / "out", manifest)
    with pytest.raises(ObjectMissingError):
        download(store, "s3://lake/a/x/", manifest.digest, tmp_path / "in")


def test_an_update_is_made_anew_of_what_another_writer_wrote_meanwhile() -> None:
    store, bucket = _store()
    others = [b"b", b"a"]

    def longer(before: bytes | None) -> bytes:
        if others:
            obstore.put(bucket, "a/x", others.pop())
        return (before or b"") + b"!"

    store.update("s3://lake/a/x", longer, 10)
    assert store.get("s3://lake/a/x") == b"b!"
    store.update("s3://lake/a/x", lambda before: None, 10)
    with pytest.raises(StoreError, match="larger than 1 bytes"):
        store.update("s3://lake/a/x", longer, 1)
    assert store.get("s3://lake/a/x") == b"b!"


def test_an_update_that_others_overtake_again_and_again_fails_and_overwrites_nothing() -> None:
    store, bucket = _store()
    written: list[bytes] = []

    def never(before: bytes | None) -> bytes:
        written.append(f"{len(written)}".encode())
        obstore.put(bucket, "a/x", written[-1])
        return b"mine"

    with pytest.raises(StoreUnavailableError, match="changed by another writer 8 times in a row"):
        store.update("s3://lake/a/x", never, 10)
    assert store.get("s3://lake/a/x") == written[-1]


@pytest.mark.parametrize(
    ("status", "named"), [("400 Bad Request", True), ("501 Not Implemented", True), ("503", False)]
)
def test_a_store_that_replaces_nothing_on_a_condition_is_said_to_lack_if_match(
    status: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bucket = _store()
    obstore.put(bucket, "a/x", b"a")

    def refuse(*_: Any, **__: Any) -> None:
        raise GenericError(f"Server returned non-2xx status code: {status}: a header you provided is not implemented")

    monkeypatch.setattr(obstore, "put", refuse)
    with pytest.raises(StoreError) as raised:
        store.update("s3://lake/a/x", lambda before: b"b", 10)
    assert ("support conditional writes by If-Match" in str(raised.value)) is named
    assert isinstance(raised.value, StoreUnavailableError) is not named
