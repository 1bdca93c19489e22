"""The settings of the server: environment variables `STEADFIT_*`, validated at the start."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Json
from pydantic_settings import BaseSettings, SettingsConfigDict
from steadfit_artifact.store import StoreConfig


class ArtifactSettings(BaseModel):
    """The artifact to serve, and its store."""

    model_config = ConfigDict(frozen=True)

    uri: str
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    store: StoreConfig


class CaptureSettings(BaseModel):
    """URI and share of captured requests."""

    model_config = ConfigDict(frozen=True)

    uri: str
    sample: Annotated[float, Field(gt=0, le=1)]


class Settings(BaseSettings):
    """Settings of one server process. Times are seconds, sizes are bytes.

    The first six come from the operator; the others have defaults that rarely need a change.
    """

    model_config = SettingsConfigDict(env_prefix="STEADFIT_", frozen=True, protected_namespaces=())

    namespace: str
    model_name: str
    version: str
    revision: str
    artifact: Json[ArtifactSettings]
    capture: Json[CaptureSettings] | None = None

    model_dir: Path = Path("/steadfit/model")
    termination_log: Path = Path("/dev/termination-log")
    drain_file: Path = Path("/steadfit/pod/drain")
    host: str = "0.0.0.0"  # noqa: S104 — a pod is reached from outside itself
    port: int = Field(8080, ge=0, le=65535)
    metrics_port: int = Field(9090, ge=0, le=65535)

    # 10,000 rows of 20 doubles are 4 MiB of JSON.
    max_body_bytes: int = Field(16 * 1024 * 1024, gt=0)
    max_buffered_bytes: int = Field(128 * 1024 * 1024, gt=0)
    max_rows: int = Field(10_000, gt=0)
    max_concurrent_requests: int = Field(128, gt=0)
    request_timeout_seconds: float = Field(10.0, gt=0)
    feedback_max_age_seconds: float = Field(30 * 86400.0, gt=0)
    drain_seconds: float = Field(4.0, ge=0)
    linger_seconds: float = Field(5.0, ge=0)
    # Longer than the idle timeouts of common proxies and load balancers (60 s to 600 s), so that the client closes an
    # idle connection: if the server closes first, a request that is just being sent gets a reset.
    keep_alive_seconds: int = Field(620, gt=0)
    # A Service balances connections, not requests: the lifetime of a connection bounds how far the share of requests
    # can differ from the share of pods. Each connection adds a jitter of a quarter; 0 = no bound.
    max_requests_per_connection: int = Field(100, ge=0)
    max_connection_seconds: float = Field(30.0, ge=0)
    # Captured rows are written after this time, or as soon as so many wait.
    capture_flush_seconds: float = Field(60.0, gt=0)
    capture_flush_rows: int = Field(5_000, gt=0)
    retry_seconds: float = Field(1.0, gt=0, description="first pause after a failed download; doubles up to a minute")
    # Long enough for a restart of the store, short enough to show the cause of a failed rollout soon.
    store_deadline_seconds: float = Field(60.0, ge=0)
