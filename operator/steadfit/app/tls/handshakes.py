"""Failed TLS handshakes of the intake: a client that does not trust the certificate never sends a request."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Mapping
from typing import Literal

Reason = Literal["distrust", "other"]
REASONS: tuple[Reason, ...] = ("distrust", "other")

_DISTRUST = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN", "CERTIFICATE_REVOKED")
"""Ends of OpenSSL's names of the alerts by which a client refuses the certificate."""


class Handshakes:
    """Counts the handshakes of a server's context that fail, by reason."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._failures: Counter[Reason] = Counter(dict.fromkeys(REASONS, 0))
        failures = self._failures

        class Counting(ssl.SSLObject):
            """One connection."""

            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    # It goes on with the next bytes.
                    raise
                except ssl.SSLError as error:
                    failures["distrust" if (error.reason or "").endswith(_DISTRUST) else "other"] += 1
                    raise

        context.sslobject_class = Counting

    def failures(self) -> Mapping[Reason, int]:
        """Return the failed handshakes by reason."""
        return dict(self._failures)
