"""A small certificate authority: one CA for ten years, server certificates for ninety days.

Functions are pure except for the randomness of keys. They take and return PEM text under the keys of a TLS Secret:
`tls.crt`, `tls.key`, `ca.crt`, and `ca.key` for a CA of our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
CA_MARGIN = timedelta(days=365)
"""A CA with less time left is replaced; both are trusted until the older one expires."""
LEAF_LIFETIME = timedelta(days=90)
LEAF_MARGIN = timedelta(days=30)
"""A server certificate with less time left is replaced."""
CLOCK_SKEW = timedelta(minutes=5)


def make(hosts: Sequence[str], now: datetime, previous: Mapping[str, str]) -> dict[str, str]:
    """Return a new server certificate for `hosts`, from the previous CA unless that is missing, broken or expiring."""
    authority = _authority(previous, now)
    bundle = previous.get("ca.crt", "")
    if authority is None:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _certificate("steadfit intake CA", ca_key, None, now, CA_LIFETIME)
        trusted = [ca, *(old for old in _parsed(bundle) if old.not_valid_after_utc > now)]
        bundle = "".join(_pem(certificate) for certificate in trusted)
    else:
        ca, ca_key = authority
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(hosts[0], leaf_key, (ca, ca_key), now, LEAF_LIFETIME, hosts)
    return {
        "tls.crt": _pem(leaf),
        "tls.key": _key_pem(leaf_key),
        "ca.crt": bundle,
        "ca.key": _key_pem(ca_key),
    }


def needs_renewal(data: Mapping[str, str], hosts: Sequence[str], now: datetime) -> bool:
    """Return whether the server certificate is missing, broken, expiring, for other hosts, or of an expiring CA.

    Also if it is not valid yet: a clock that was ahead made it.
    """
    authority = _authority(data, now)
    leaves = _parsed(data.get("tls.crt", ""))
    if authority is None or not leaves or "tls.key" not in data:
        return True
    names = leaves[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        leaves[0].not_valid_after_utc - now < LEAF_MARGIN
        or leaves[0].not_valid_before_utc > now
        or set(names.get_values_for_type(x509.DNSName)) != set(hosts)
        or not _signed_by(leaves[0], authority[0])
    )


def overlapping(bundle: str, previous: str, now: datetime) -> str:
    """Return a bundle with the certificates of the previous one that have not expired, so that both are trusted."""
    newest = _parsed(bundle)
    older = [old for old in _parsed(previous) if old not in newest and old.not_valid_after_utc > now]
    return bundle + "".join(_pem(certificate) for certificate in older) if older else bundle


def expiry(pem: str) -> datetime:
    """Return when the first certificate of a PEM expires."""
    return x509.load_pem_x509_certificates(pem.encode())[0].not_valid_after_utc


def _authority(data: Mapping[str, str], now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Return the CA and its key, if both are readable and valid long enough."""
    try:
        key = serialization.load_pem_private_key(data.get("ca.key", "").encode(), None)
    except ValueError:
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    for ca in _parsed(data.get("ca.crt", "")):
        lasts = ca.not_valid_before_utc <= now < ca.not_valid_after_utc - CA_MARGIN
        if ca.public_key() == key.public_key() and lasts:
            return ca, key
    return None


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    now: datetime,
    lifetime: timedelta,
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    signing_key = key if issuer is None else issuer[1]
    is_ca = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(_key_usage(is_ca), critical=True)
    )
    if not is_ca:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(names, critical=False).add_extension(usage, critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed_by(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _parsed(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
