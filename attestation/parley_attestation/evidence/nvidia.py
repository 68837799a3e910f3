"""Room: evidence. NVIDIA GPU reports: SPDM 1.1 measurements of Hopper and Blackwell; called by `appraise`.

Sources: DMTF DSP0274 1.1 (GET_MEASUREMENTS), NVIDIA nvtrust (opaque fields). The GPU signs request and
response together. NVSwitches answer in the same format under the same root: they are told apart by the
model that their certificate authority names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from parley_attestation.evidence import crypto, der, revocation
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.der import oid
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import Claims, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.roots import Vendor, pinned
from parley_attestation.evidence.wire import Reader
from parley_attestation.evidence.x509 import Certificate, parse_certificate, verify_path

MAX_REPORT = 16 << 10  # bytes
MAX_PADDING = 64  # zero bytes after the signature; one is seen in the field
_REQUEST, _SIGNATURE = 37, 96
_GET_MEASUREMENTS, _MEASUREMENTS = b"\x11\xe0", b"\x11\x60"
_SIGNED_ALL = b"\x01\xff"  # param1: signature requested; param2: all blocks
_MODEL = re.compile(r"NVIDIA ([A-Z0-9]{3,10}) .+")
_DICE_TCB_INFO = oid("2.23.133.5.4.1")
_SHA384 = oid("2.16.840.1.101.3.4.2.2")
_FWIDS = 0xA6  # [6] of DiceTcbInfo
# NVIDIA's SDK sends this nonce where the caller gives none; many published reports carry it.
DEFAULT_NONCE = bytes.fromhex("931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb")
_OPAQUE = {
    3: "driver",
    4: "gpu_info",
    6: "vbios",
    11: "nvdec0_status",
    12: "msrscnt",
    13: "cprinfo",
    14: "board_id",
    15: "chip_sku",
    16: "chip_sku_mod",
    17: "project",
    18: "project_sku",
    19: "project_sku_mod",
    20: "fwid",
    21: "protected_pcie_status",
    22: "switch_pdi",
    23: "floorswept_ports",
    24: "position_id",
    25: "lock_switch_status",
    32: "gpu_link_conn",
    33: "sys_enable_status",
    34: "opaque_data_version",
    35: "chip_info",
    36: "feature_flag",
}
_SWITCH_ONLY = ("floorswept_ports", "position_id", "lock_switch_status")


@dataclass(frozen=True, slots=True)
class Report:
    """One report; nothing in it is trusted before its signature held."""

    request: bytes
    response: bytes
    nonce: bytes
    slot: int
    measurements: Mapping[int, bytes]
    opaque: Mapping[str, bytes]
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What the policy checks of this format need."""

    report: Report
    model: str
    is_gpu: bool


def parse(raw: bytes) -> Report:
    """Parse one report: request, response, signature, and zero padding at most.

    Raises:
        EvidenceError: SIZE, MALFORMED, DUPLICATE_KEY, TRAILING_BYTES.
    """
    if len(raw) > MAX_REPORT:
        refuse(Finding.SIZE, f"GPU report: expected at most {MAX_REPORT} bytes")
    reader = Reader(raw, "GPU report")
    request = reader.take(4)
    nonce, slot = reader.take(32), reader.little(1)
    response = reader.take(2)
    reader.take(2)
    count = reader.little(1)
    measurements = _measurements(reader.part(reader.little(3), "GPU measurements"), count)
    reader.take(32)
    opaque = _opaque(reader.part(reader.little(2), "GPU opaque data"))
    signed = raw[: reader.at]
    signature = reader.take(_SIGNATURE)
    if reader.left > MAX_PADDING:
        refuse(Finding.TRAILING_BYTES, f"GPU report: expected at most {MAX_PADDING} bytes of padding")
    reader.zeros()
    return Report(request, response, nonce, slot, measurements, opaque, signed, signature)


def _measurements(reader: Reader, count: int) -> Mapping[int, bytes]:
    found: dict[int, bytes] = {}
    for _ in range(count):
        index, specification = reader.little(1), reader.little(1)
        block = reader.part(reader.little(2), "GPU measurement")
        block.take(1)
        value = block.take(block.little(2))
        block.end()
        if specification != 1 or index in found:
            refuse(Finding.MALFORMED, "GPU report: expected DMTF measurements, each index once")
        found[index] = value
    reader.end()
    return MappingProxyType(found)


def _opaque(reader: Reader) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    while reader.left:
        kind = reader.little(2)
        name = _OPAQUE.get(kind, f"field{kind}")
        value = reader.take(reader.little(2))
        if name in found:
            refuse(Finding.DUPLICATE_KEY, f"GPU report: expected opaque field {name} once")
        found[name] = value
    return MappingProxyType(found)


def authenticate(item: EvidenceItem, at: int, ledger: Ledger) -> Claims:
    """Verify one report: the numbered checks of research section 4.4.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    report = parse(item.raw)
    certificates = item.endorsements.certificates
    ledger.demand(
        Finding.ENDORSEMENT_MISSING,
        len(certificates) >= 2,
        f"{len(certificates)} certificates for the report",
    )
    # (1) chain and time, (2) revocation.
    path = [parse_certificate(raw) for raw in certificates]
    full = verify_path(path, [pinned("nvidia_device_identity_ca")], at, ledger)
    leaf = full[0]
    named = _MODEL.fullmatch(full[-2].common_name)
    ledger.demand(
        Finding.WRONG_CERTIFICATE_ROLE,
        4 <= len(full) <= 6 and named is not None and not leaf.is_ca,
        f"{leaf.common_name!r}, {len(full)} certificates, under {full[-2].common_name!r}",
    )
    known = revocation.check_ocsp(full, item.endorsements.ocsp, at, ledger)
    # (3) the firmware that the device's certificate names is the firmware that reports.
    _firmware(report, leaf, ledger)
    # (4) the signature over request and response, and that they are what SPDM calls a measurement.
    ledger.note(
        Finding.UNSUPPORTED_VERSION,
        report.request == _GET_MEASUREMENTS + _SIGNED_ALL and report.response == _MEASUREMENTS,
        "an SPDM 1.1 request for all measurements, signed, and its response",
    )
    crypto.verify(crypto.load_key(leaf.spki), Algorithm.ECDSA_P384_SHA384, report.signed, report.signature)
    ledger.note(Finding.SIGNATURE_INVALID, True, f"{leaf.common_name!r} signed request and response")
    ledger.settle()
    return _claims(report, leaf, (named[1] if named else "").lower(), known=known)


def _firmware(report: Report, leaf: Certificate, ledger: Ledger) -> None:
    certified = _fwid(leaf)
    reported = report.opaque.get("fwid")
    if reported is not None:
        ledger.note(
            Finding.FIRMWARE_ID_MISMATCH,
            certified == reported,
            f"report {reported.hex()[:16]}…, certificate {(certified or b'').hex()[:16]}…",
        )


def _fwid(leaf: Certificate) -> bytes | None:
    raw = leaf.extensions.get(_DICE_TCB_INFO)
    if raw is None:
        return None
    for field in der.each(der.parse(raw)):
        if field.tag == _FWIDS:
            for one in der.each(field):
                name, value = der.children(der.expect(one, der.SEQUENCE), 2, 2)
                if name.body == _SHA384:
                    return der.expect(value, der.OCTET_STRING).body
    return _bare_fwid(raw)


def _bare_fwid(raw: bytes) -> bytes | None:
    """Read the form that NVIDIA writes: SEQUENCE { version, subject key, FWID { SHA-384, digest } }."""
    fields = der.children(der.parse(raw), 1)
    if fields[-1].tag != der.SEQUENCE:
        return None
    parts = der.children(fields[-1], 0, 4)
    if len(parts) == 2 and parts[0].body == _SHA384 and parts[1].tag == der.OCTET_STRING:
        return parts[1].body
    return None


def _claims(report: Report, leaf: Certificate, model: str, *, known: bool) -> Claims:
    text = _text(report.opaque.get("driver", b""))
    vbios = _vbios(report.opaque.get("vbios", b""))
    values = {"driver": text, "vbios": vbios, "fwid": report.opaque.get("fwid", b"").hex()}
    values |= {f"m{index}": value.hex() for index, value in report.measurements.items()}
    is_gpu = model.startswith("g") and not any(name in report.opaque for name in _SWITCH_ONLY)
    return Claims(
        kind=Kind.NVIDIA,
        vendor=Vendor.NVIDIA,
        product=model,
        instance=f"{leaf.serial:x}",
        measurements=MappingProxyType(values),
        bound=report.nonce,
        signed_body=body_digest(report.signed),
        debug=False,
        migratable=False,
        revocation_known=known,
        facts=Facts(report, model, is_gpu),
        shown={
            "device": leaf.common_name,
            "driver": text,
            "vbios": vbios,
            "measurements": len(report.measurements),
            "counters": "none: no field of this report counts work or time",
        },
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("ascii", "replace")[:64]


def _vbios(value: bytes) -> str:
    """NVIDIA's spelling: bytes 3..0, then byte 4, as two hexadecimal digits each."""
    if len(value) != 8:
        return value.hex()
    return ".".join(f"{byte:02x}" for byte in (value[3], value[2], value[1], value[0], value[4]))


def judge(found: Claims, _rules: Rules, _at: int, ledger: Ledger) -> None:
    """Policy checks of this format: a GPU, with a FWID, over a nonce of this session."""
    facts: Facts = found.facts
    ledger.note(Finding.WRONG_DEVICE, facts.is_gpu, f"device model {facts.model.upper()}")
    ledger.note(
        Finding.FIRMWARE_ID_ABSENT, "fwid" in facts.report.opaque, "the report names its firmware by FWID"
    )
    ledger.note(
        Finding.DEFAULT_NONCE, facts.report.nonce != DEFAULT_NONCE, "the nonce is not the SDK's default"
    )
