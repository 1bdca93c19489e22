"""Buckets of the cluster's S3 server, as the host reaches them with what `make -s env` exports."""

from __future__ import annotations

import os

from obstore.store import S3Store


def bucket(name: str) -> S3Store:
    """Connect to one bucket."""
    return S3Store(
        name,
        endpoint=os.environ["STEADFIT_STORE_ENDPOINT"],
        access_key_id=os.environ["STEADFIT_STORE_ACCESS_KEY_ID"],
        secret_access_key=os.environ["STEADFIT_STORE_SECRET_ACCESS_KEY"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
