"""Room: evidence. TPM 2.0 quotes, bare or inside `azure`; called by `appraise`.

Source: TCG TPM 2.0 Library part 2, sections 10.12 (TPMS_ATTEST) and 11.3 (TPMT_SIGNATURE). A bare quote
brings its own key, which proves nothing: it counts only where the policy's registry names that key.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from parley_attestation.canonical import Fields
from parley_attestation.evidence import crypto, strictjson
from parley_attestation.evidence.crypto import Algorithm, PublicKey
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import MAX_EVIDENCE, Claims, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.roots import Vendor
from parley_attestation.evidence.wire import Reader

_MAGIC, _QUOTE = b"\xffTCG", 0x8018
_BANKS = {0x0004: ("sha1", 20), 0x000B: ("sha256", 32), 0x000C: ("sha384", 48)}
_RSASSA, _RSAPSS, _ECDSA = 0x0014, 0x0016, 0x0018
_SCHEMES = {
    (_RSASSA, 0x000B): Algorithm.RSA_PKCS1_SHA256,
    (_RSAPSS, 0x000B): Algorithm.RSA_PSS_SHA256,
    (_ECDSA, 0x000B): Algorithm.ECDSA_P256_SHA256,
    (_ECDSA, 0x000C): Algorithm.ECDSA_P384_SHA384,
}
_ATTEST_HASH = {
    Algorithm.RSA_PKCS1_SHA256: "sha256",
    Algorithm.RSA_PSS_SHA256: "sha256",
    Algorithm.ECDSA_P256_SHA256: "sha256",
    Algorithm.ECDSA_P384_SHA384: "sha384",
}


@dataclass(frozen=True, slots=True)
class Quote:
    """A TPMS_ATTEST of type quote; nothing in it is trusted before its signature held."""

    message: bytes
    extra_data: bytes
    reset_count: int
    selections: tuple[tuple[int, tuple[int, ...]], ...]
    pcr_digest: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A quote with its signature and the PCR values that are said to stand behind it."""

    quote: Quote
    algorithm: Algorithm
    signature: bytes
    pcrs: tuple[bytes, ...]


def parse_quote(message: bytes) -> Quote:
    """Parse a TPMS_ATTEST. Raises `EvidenceError` (MALFORMED, UNSUPPORTED_VERSION, TRAILING_BYTES)."""
    reader = Reader(message, "TPM quote")
    if reader.take(4) != _MAGIC or reader.big(2) != _QUOTE:
        refuse(Finding.UNSUPPORTED_VERSION, "TPM quote: expected a TPMS_ATTEST of type quote")
    reader.take(reader.big(2))
    extra = reader.take(reader.big(2))
    reader.take(8)
    resets = reader.big(4)
    reader.take(4 + 1 + 8)
    selections = tuple(_selection(reader) for _ in range(_count(reader)))
    digest = reader.take(reader.big(2))
    reader.end()
    return Quote(message, extra, resets, selections, digest)


def _count(reader: Reader) -> int:
    count = reader.big(4)
    if count > 4:
        refuse(Finding.MALFORMED, f"TPM quote: expected at most 4 PCR selections, got {count}")
    return count


def _selection(reader: Reader) -> tuple[int, tuple[int, ...]]:
    bank, size = reader.big(2), reader.big(1)
    if bank not in _BANKS or size > 4:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"TPM quote: expected a known PCR bank, got {bank:#x}")
    bitmap = reader.little(size)
    return bank, tuple(n for n in range(8 * size) if bitmap >> n & 1)


def parse_signature(raw: bytes) -> tuple[Algorithm, bytes]:
    """Read a TPMT_SIGNATURE, or a bare RSA signature of 256..512 bytes as Azure hands it out.

    Raises:
        EvidenceError: MALFORMED, UNSUPPORTED_ALGORITHM, TRAILING_BYTES.
    """
    if len(raw) in {256, 384, 512}:
        return Algorithm.RSA_PKCS1_SHA256, raw
    reader = Reader(raw, "TPM signature")
    scheme, bank = reader.big(2), reader.big(2)
    algorithm = _SCHEMES.get((scheme, bank))
    if algorithm is None:
        refuse(Finding.UNSUPPORTED_ALGORITHM, f"TPM signature: expected a known scheme, got {scheme:#x}")
    first = reader.take(reader.big(2))
    if scheme != _ECDSA:
        reader.end()
        return algorithm, first
    second = reader.take(reader.big(2))
    reader.end()
    numbers = (int.from_bytes(first, "big"), int.from_bytes(second, "big"))
    return algorithm, crypto.raw_ecdsa(numbers, algorithm)


def octets(value: Any, what: str, limit: int = MAX_EVIDENCE) -> bytes:
    """Bytes as evidence files spell them: hexadecimal, base64 (either alphabet) or a list of integers.

    Raises:
        EvidenceError: MALFORMED.
    """
    found: bytes | None = None
    if isinstance(value, list) and all(type(n) is int and 0 <= n < 256 for n in value):
        found = bytes(value)
    elif isinstance(value, str) and value.isascii():
        if len(value) % 2 == 0 and not value.strip("0123456789abcdef"):
            found = bytes.fromhex(value)
        else:
            text = value.rstrip("=").replace("-", "+").replace("_", "/")
            try:
                found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
            except (binascii.Error, ValueError):
                found = None
    if found is None or len(found) > limit:
        refuse(Finding.MALFORMED, f"{what}: expected at most {limit} bytes in hexadecimal or base64")
    return found


def read_signed(fields: Fields) -> Signed:
    """Read message, signature and PCR values. Raises `EvidenceError`."""
    message = octets(fields.raw("message"), "TPM quote", 4096)
    algorithm, signature = parse_signature(octets(fields.raw("signature"), "TPM signature", 4096))
    pcrs = tuple(octets(one, "PCR", 64) for one in fields.list("pcrs", 32))
    fields.end()
    return Signed(parse_quote(message), algorithm, signature, pcrs)


def verify_signed(signed: Signed, key: PublicKey, ledger: Ledger) -> Mapping[str, str]:
    """Check the signature and that the PCR values are the quoted ones; returns them by name.

    Raises:
        EvidenceError: SIGNATURE_INVALID, MALFORMED.
    """
    crypto.verify(key, signed.algorithm, signed.quote.message, signed.signature)
    ledger.note(Finding.SIGNATURE_INVALID, True, "the attestation key signed the TPM quote")
    if len(signed.quote.selections) != 1:
        refuse(Finding.MALFORMED, "TPM quote: expected one bank of PCRs")
    bank, indices = signed.quote.selections[0]
    _, size = _BANKS[bank]
    # Values may be given for the selected PCRs alone or for all of them, by index.
    whole = len(signed.pcrs) == 24
    if not (whole or len(signed.pcrs) == len(indices)) or any(len(p) != size for p in signed.pcrs):
        refuse(Finding.MALFORMED, f"TPM quote: expected a value of {size} bytes for each selected PCR")
    if whole and indices and max(indices) > 23:
        refuse(Finding.MALFORMED, "TPM quote: expected PCR indices in 0..23")
    values = {n: signed.pcrs[n if whole else position] for position, n in enumerate(indices)}
    digest = hashlib.new(_ATTEST_HASH[signed.algorithm], b"".join(values.values())).digest()
    ledger.note(
        Finding.PCR_DIGEST_MISMATCH,
        digest == signed.quote.pcr_digest,
        f"{len(values)} PCR values hash to the quoted digest",
    )
    return MappingProxyType({f"pcr{n}": value.hex() for n, value in values.items()})


def authenticate(item: EvidenceItem, _at: int, ledger: Ledger) -> Claims:
    """Verify a bare quote under the key it brings; `judge` asks the registry about that key.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    fields = strictjson.fields(item.raw, MAX_EVIDENCE, "TPM evidence")
    ledger.demand(
        Finding.ENDORSEMENT_MISSING, fields.has("ak_public"), "the attestation key comes with the quote"
    )
    spki = octets(fields.raw("ak_public"), "attestation key", 2048)
    signed = read_signed(fields.object("tpm_quote") if fields.has("tpm_quote") else fields)
    values = verify_signed(signed, crypto.load_key(spki), ledger)
    ledger.settle()
    return Claims(
        kind=Kind.TPM2,
        vendor=Vendor.REGISTERED,
        product="tpm2",
        instance=hashlib.sha256(spki).hexdigest(),
        measurements=values,
        bound=signed.quote.extra_data,
        signed_body=body_digest(signed.quote.message),
        debug=False,
        migratable=False,
        revocation_known=False,
        facts=signed.quote,
        shown={"reset-count": signed.quote.reset_count},
    )


def judge(found: Claims, rules: Rules, _at: int, ledger: Ledger) -> None:
    """Policy check of this format: somebody whom both parties trust vouches for the key."""
    ledger.note(
        Finding.ATTESTATION_KEY_NOT_VOUCHED,
        rules.machines is not None and found.instance in rules.machines,
        f"attestation key {found.instance[:16]}… in the registry of inspected machines",
    )
