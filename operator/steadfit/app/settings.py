"""Settings of an installation: environment variables that start with `STEADFIT_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Settings of the operator; lists are separated by commas."""

    model_config = SettingsConfigDict(env_prefix="STEADFIT_", use_attribute_docstrings=True, frozen=True)

    trainer_image: str
    """Image of the trainer, which runs every step of ours: fetch, publish, evaluate, quarantine."""
    server_image: str
    """Image of the server, where a ModelDeployment names none."""
    namespace: str = "steadfit-system"
    """Namespace of the operator: its Lease, its certificate, its Service."""
    pod_name: str = "steadfit-operator"
    """Name of this pod; part of its identity as a leader and in Events."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces that are watched; all of them when empty."""
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    """Number of passes at once."""
    resync_seconds: Annotated[float, Field(ge=10)] = 600.0
    """Time between two full lists of everything."""
    lease_name: str = "steadfit-operator"
    """Name of the Lease that replicas compete for."""
    lease_duration_seconds: Seconds = 15.0
    """After this time without a renewal another replica takes over."""
    lease_renew_seconds: Seconds = 10.0
    """After this time without a successful renewal the leader stops."""
    lease_retry_seconds: Seconds = 2.0
    """Time between two renewals."""
    service_name: str = "steadfit-operator"
    """Name of the Service in front of the intake."""
    intake_port: Port = 8443
    """Port of the intake (TLS)."""
    intake_url: str | None = None
    """Base URL by which runs reach the intake; the Service's own when absent."""
    health_port: Port = 8080
    """Port of /healthz, /readyz and /metrics (plain HTTP)."""
    certificate_secret: str = "steadfit-intake-tls"  # noqa: S105 - a name
    """Secret of the intake's certificate."""
    certificate_managed: bool = True
    """Whether the operator makes the certificate. False: others do, for example cert-manager."""
    ca_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces of the senders of alerts: the CA certificate is published there in the ConfigMap `steadfit-ca`."""
    alert_token_file: Path | None = None
    """File with the token that senders of alerts present. Without one, the API server authenticates the token
    (TokenReview) and authorizes its holder to post to /v1/alerts (SubjectAccessReview)."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is logged."""

    rules: Literal["ConfigMap", "PrometheusRule", "Off"] = "ConfigMap"
    """Kind of the object `steadfit-rules`, in the operator's namespace, that holds the rules for Prometheus."""
    rules_interval_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Time between two evaluations of the rules."""

    @field_validator("watch_namespaces", "ca_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def service_host(self) -> str:
        """Name of the Service inside the cluster."""
        return f"{self.service_name}.{self.namespace}.svc"

    @property
    def record_url(self) -> str:
        """Base URL by which runs reach the intake."""
        return self.intake_url or f"https://{self.service_host}:{self.intake_port}"
