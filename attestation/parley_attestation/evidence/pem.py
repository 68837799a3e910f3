"""Room: evidence. PEM certificate chains, read strictly (RFC 7468 section 3, "stricttextualmsg")."""

import base64
import binascii
import re

from parley_attestation.evidence.findings import Finding, refuse

MAX_CHAIN = 64 << 10  # bytes of one PEM chain
_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n"
    rb"((?:[A-Za-z0-9+/]{1,4096}={0,2}\r?\n){1,200})"
    rb"-----END CERTIFICATE-----(?:\r?\n|$)"
)
_BEGIN = re.compile(rb"-----BEGIN ")
_LOOSE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]{1,16384}-----END CERTIFICATE-----")


def chain(raw: bytes, limit: int = 8) -> tuple[bytes, ...]:
    """Decode 1..`limit` certificates; nothing may stand between or after them but line ends and NULs.

    Raises:
        EvidenceError: BAD_CERTIFICATE, TRAILING_BYTES.
    """
    if len(raw) > MAX_CHAIN:
        refuse(Finding.BAD_CERTIFICATE, f"expected a chain of at most {MAX_CHAIN} bytes")
    found: list[bytes] = []
    at = 0
    while match := _BLOCK.match(raw, at):
        if len(found) == limit:
            refuse(Finding.BAD_CERTIFICATE, f"expected at most {limit} certificates")
        found.append(_decode(match[1]))
        at = match.end()
        while raw[at : at + 1] in {b"\n", b"\r"}:
            at += 1
    if raw[at:].strip(b"\0"):
        refuse(
            Finding.BAD_CERTIFICATE if _BEGIN.match(raw, at) or not found else Finding.TRAILING_BYTES,
            f"expected PEM certificates only, got other bytes at offset {at}",
        )
    if not found:
        refuse(Finding.BAD_CERTIFICATE, "expected at least one PEM certificate")
    return tuple(found)


def anywhere(raw: bytes) -> bytes:
    """The PEM certificates in a text file that may hold other lines too, as one strict chain."""
    lines = (line.strip() for block in _LOOSE.findall(raw) for line in block.splitlines())
    return b"".join(line + b"\n" for line in lines if line)


def _decode(body: bytes) -> bytes:
    text = body.replace(b"\r", b"").replace(b"\n", b"")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        refuse(Finding.BAD_CERTIFICATE, "expected base64 inside a PEM certificate")
    if base64.b64encode(raw) != text:
        refuse(Finding.BAD_CERTIFICATE, "expected the one canonical base64 spelling inside PEM")
    return raw
