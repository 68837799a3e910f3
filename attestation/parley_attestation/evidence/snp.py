"""Room: evidence. AMD SEV-SNP attestation reports, versions 2 to 5; called by `appraise` and `azure`.

Sources: AMD 56860 (SEV-SNP firmware ABI) tables 22 and 23, AMD 57230 (VCEK certificate), AMD 58369
(VLEK certificate). Milan and Genoa share one TCB_VERSION layout, Turin has another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from parley_attestation.evidence import crypto, der, revocation
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.der import oid
from parley_attestation.evidence.findings import EvidenceError, Finding, Ledger, refuse
from parley_attestation.evidence.model import Claims, Endorsements, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.policy import Rules
from parley_attestation.evidence.roots import AMD_PRODUCTS, Vendor, pinned
from parley_attestation.evidence.wire import Reader
from parley_attestation.evidence.x509 import Certificate, parse_certificate, verify_path

REPORT_SIZE = 0x4A0
_SIGNED = 0x2A0
_SUPPORTED = range(2, 6)
_ECDSA_P384 = 1
_VCEK, _VLEK = 0, 1
_DEBUG, _MIGRATE = 1 << 19, 1 << 18
_ARC = "1.3.6.1.4.1.3704.1."
_PRODUCT_NAME, _HWID, _CSP = oid(_ARC + "2"), oid(_ARC + "4"), oid(_ARC + "5")
_SPL = {
    "bl": oid(_ARC + "3.1"),
    "tee": oid(_ARC + "3.2"),
    "snp": oid(_ARC + "3.3"),
    "ucode": oid(_ARC + "3.8"),
    "fmc": oid(_ARC + "3.9"),
}
_TCB_BYTES = {  # offset of each component in TCB_VERSION
    "milan": {"bl": 0, "tee": 1, "snp": 6, "ucode": 7},
    "genoa": {"bl": 0, "tee": 1, "snp": 6, "ucode": 7},
    "turin": {"fmc": 0, "bl": 1, "tee": 2, "snp": 3, "ucode": 7},
}
# Names that certificates use for products under one root (AMD 57230 section 3.1).
_NAMES = {"milan": "milan", "genoa": "genoa", "bergamo": "genoa", "siena": "genoa", "turin": "turin"}


@dataclass(frozen=True, slots=True)
class Report:
    """One attestation report, field by field; nothing in it is trusted before `authenticate`."""

    raw: bytes
    version: int
    guest_svn: int
    policy: int
    vmpl: int
    current_tcb: bytes
    platform_info: int
    signing_key: int
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    reported_tcb: bytes
    cpuid: tuple[int, int, int] | None
    chip_id: bytes
    committed_tcb: bytes
    launch_tcb: bytes
    signature: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the policy checks of this format need."""

    report: Report
    product: str
    fleet: str
    revocation_known: bool


def parse(raw: bytes) -> Report:
    """Parse one report of exactly 1184 bytes; the unsigned bytes after the signature must be zero.

    Raises:
        EvidenceError: SIZE, UNSUPPORTED_VERSION, UNSUPPORTED_ALGORITHM, TRAILING_BYTES.
    """
    if len(raw) != REPORT_SIZE:
        refuse(Finding.SIZE, f"SNP report: expected {REPORT_SIZE} bytes, got {len(raw)}")
    version = int.from_bytes(raw[:4], "little")
    if version not in _SUPPORTED:
        refuse(Finding.UNSUPPORTED_VERSION, f"SNP report: expected version 2..5, got {version}")
    if int.from_bytes(raw[0x34:0x38], "little") != _ECDSA_P384:
        refuse(Finding.UNSUPPORTED_ALGORITHM, "SNP report: expected ECDSA P-384 with SHA-384")
    tail = Reader(raw, "SNP report signature", _SIGNED)
    signature = (tail.little(72), tail.little(72))
    tail.zeros()
    return Report(
        raw=raw,
        version=version,
        guest_svn=int.from_bytes(raw[4:8], "little"),
        policy=int.from_bytes(raw[8:16], "little"),
        vmpl=int.from_bytes(raw[0x30:0x34], "little"),
        current_tcb=raw[0x38:0x40],
        platform_info=int.from_bytes(raw[0x40:0x48], "little"),
        signing_key=raw[0x48] >> 2 & 7,
        report_data=raw[0x50:0x90],
        measurement=raw[0x90:0xC0],
        host_data=raw[0xC0:0xE0],
        id_key_digest=raw[0xE0:0x110],
        author_key_digest=raw[0x110:0x140],
        report_id=raw[0x140:0x160],
        reported_tcb=raw[0x180:0x188],
        cpuid=(raw[0x188], raw[0x189], raw[0x18A]) if version >= 3 else None,
        chip_id=raw[0x1A0:0x1E0],
        committed_tcb=raw[0x1E0:0x1E8],
        launch_tcb=raw[0x1F0:0x1F8],
        signature=signature,
    )


def tcb(version: bytes, product: str) -> dict[str, int]:
    """Split a TCB_VERSION of 8 bytes into its components, by the product's layout."""
    return {name: version[at] for name, at in _TCB_BYTES[product].items()}


def authenticate(item: EvidenceItem, at: int, ledger: Ledger) -> Claims:
    """Verify one report: chain, time, revocation, signature, and that the certificate is its own.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    report = parse(item.raw)
    facts = verify_report(report, item.endorsements, at, ledger)
    return claims(Kind.SNP, report, facts)


def claims(kind: Kind, report: Report, facts: Facts) -> Claims:
    """The claims of a verified report."""
    values = {
        "measurement": report.measurement.hex(),
        "host_data": report.host_data.hex(),
        "id_key_digest": report.id_key_digest.hex(),
        "author_key_digest": report.author_key_digest.hex(),
        "guest_svn": report.guest_svn.to_bytes(4, "big").hex(),
    }
    return Claims(
        kind=kind,
        vendor=Vendor.AMD,
        product=facts.product,
        instance=f"{facts.fleet}:{report.report_id.hex()}" if facts.fleet else report.chip_id.hex(),
        measurements=MappingProxyType(values),
        bound=report.report_data,
        signed_body=body_digest(report.raw[:_SIGNED]),
        debug=bool(report.policy & _DEBUG),
        migratable=bool(report.policy & _MIGRATE),
        revocation_known=facts.revocation_known,
        facts=facts,
        shown={
            "report-version": report.version,
            "reported-tcb": " ".join(f"{k}={v}" for k, v in tcb(report.reported_tcb, facts.product).items()),
            "platform-info": f"{report.platform_info:#x}",
            "guest-policy": f"{report.policy:#x}",
            "vmpl": report.vmpl,
            "endorsement-key": "VLEK" if facts.fleet else "VCEK",
        },
    )


def verify_report(report: Report, endorsed: Endorsements, at: int, ledger: Ledger) -> Facts:
    """The numbered checks of research section 4.1. Raises `EvidenceError`."""
    ledger.demand(
        Finding.ENDORSEMENT_MISSING,
        bool(endorsed.certificates),
        f"{len(endorsed.certificates)} certificates for the report's key",
    )
    path = [parse_certificate(raw) for raw in endorsed.certificates]
    leaf = path[0]
    # (1) chain and time: the vendor's intermediates are added where only the leaf was sent.
    path = _with_intermediate(path)
    full = verify_path(path, [pinned(f"amd_{p}_ark") for p in AMD_PRODUCTS], at, ledger)
    product = full[-1].common_name.removeprefix("ARK-").lower()
    fleet = leaf.common_name == "SEV-VLEK"
    authority = f"SEV-VLEK-{product.title()}" if fleet else f"SEV-{product.title()}"
    ledger.demand(
        Finding.WRONG_CERTIFICATE_ROLE,
        leaf.common_name in {"SEV-VCEK", "SEV-VLEK"} and len(full) == 3 and full[1].common_name == authority,
        f"{leaf.common_name!r} under {full[1].common_name!r}",
    )
    # (2) revocation: AMD publishes one CRL per root.
    known = revocation.check_crls(full, endorsed.crls, at, ledger)
    # (3) certificate and report name the same key, product, chip and TCB.
    _bindings(report, leaf, product, fleet=fleet, ledger=ledger)
    # (4) the signature.
    _signature(report, leaf, ledger)
    ledger.settle()
    return Facts(report, product, _csp(leaf) if fleet else "", known)


def _with_intermediate(path: list[Certificate]) -> list[Certificate]:
    if len(path) > 1:
        return path
    names = [f"amd_{product}_{role}" for product in AMD_PRODUCTS for role in ("ask", "asvk")]
    issuer = next((pinned(name) for name in names if pinned(name).subject == path[0].issuer), None)
    return path if issuer is None else [*path, issuer]


def _bindings(report: Report, leaf: Certificate, product: str, *, fleet: bool, ledger: Ledger) -> None:
    named = _text(leaf.extensions.get(_PRODUCT_NAME)).split("-")[0].lower()
    by_cpu = product if report.cpuid is None else _product_of_cpuid(report.cpuid)
    ledger.note(
        Finding.PRODUCT_MISMATCH,
        _NAMES.get(named) == product == by_cpu,
        f"root {product}, certificate {named or 'none'}, CPUID {by_cpu or 'unknown'}",
    )
    key = {_VCEK: "VCEK", _VLEK: "VLEK"}.get(report.signing_key, "none")
    ledger.note(
        Finding.SIGNING_KEY_MISMATCH,
        key == ("VLEK" if fleet else "VCEK"),
        f"the report says that its {key} signed, the certificate is of {leaf.common_name!r}",
    )
    certified = {name: _small(leaf.extensions.get(_SPL[name])) for name in _TCB_BYTES[product]}
    reported = tcb(report.reported_tcb, product)
    ledger.note(
        Finding.CERTIFIED_TCB_MISMATCH,
        certified == reported,
        f"certificate {_shown(certified)}, report {_shown(reported)}",
    )
    if fleet:
        ledger.note(Finding.CHIP_MISMATCH, _HWID not in leaf.extensions, "a fleet key names no chip")
    else:
        ledger.note(
            Finding.CHIP_MISMATCH,
            _is_chip(leaf.extensions.get(_HWID), report.chip_id, product),
            f"report of chip {report.chip_id.hex()[:16]}…",
        )


def _is_chip(extension: bytes | None, chip_id: bytes, product: str) -> bool:
    size = 8 if product == "turin" else 64  # AMD 57230: Turin's HWID has 8 bytes
    value = extension or b""
    if len(value) == size + 2 and value[:2] == bytes((der.OCTET_STRING, size)):
        value = value[2:]
    padded = value + bytes(64 - size)
    return len(value) == size and any(value) and padded == chip_id


def _product_of_cpuid(cpuid: tuple[int, int, int]) -> str:
    family, model, _ = cpuid
    if family == 0x19:
        return {0x0: "milan", 0x1: "genoa", 0xA: "genoa"}.get(model >> 4, "")
    return "turin" if family == 0x1A and model >> 4 in {0x0, 0x1} else ""


def _signature(report: Report, leaf: Certificate, ledger: Ledger) -> None:
    try:
        crypto.verify(
            crypto.load_key(leaf.spki),
            Algorithm.ECDSA_P384_SHA384,
            report.raw[:_SIGNED],
            crypto.raw_ecdsa(report.signature, Algorithm.ECDSA_P384_SHA384),
        )
    except EvidenceError as error:
        ledger.note(error.finding, False, error.message)
    else:
        ledger.note(Finding.SIGNATURE_INVALID, True, f"{leaf.common_name} signed the report")


def _text(extension: bytes | None) -> str:
    if extension is None:
        return ""
    return der.parse(extension, der.IA5).body.decode("ascii", "replace")


def _csp(leaf: Certificate) -> str:
    value = leaf.extensions.get(_CSP, b"")
    if len(value) > 2 and value[0] in {der.IA5, der.UTF8}:
        value = der.parse(value, value[0]).body
    return value.decode("ascii", "replace")[:100] or "unnamed fleet"


def _small(extension: bytes | None) -> int | None:
    return None if extension is None else der.integer(der.parse(extension, der.INTEGER))


def _shown(parts: Mapping[str, int] | Mapping[str, int | None]) -> str:
    return " ".join(f"{name}={value}" for name, value in parts.items())


def judge(found: Claims, rules: Rules, _at: int, ledger: Ledger) -> None:
    """Policy checks of this format: TCB floor, platform bits, privilege level, fleet keys."""
    facts: Facts = found.facts
    report, snp = facts.report, rules.snp
    floor = snp.tcb_floor.get(facts.product)
    for name, version in (
        ("reported", report.reported_tcb),
        ("committed", report.committed_tcb),
        ("launch", report.launch_tcb),
    ):
        has = tcb(version, facts.product)
        ledger.note(
            Finding.TCB_BELOW_FLOOR,
            floor is not None and all(has.get(part, -1) >= least for part, least in floor.items()),
            f"{name} TCB {_shown(has)}, floor {_shown(floor) if floor else 'none agreed for this product'}",
        )
    info = report.platform_info
    ledger.note(
        Finding.PLATFORM_BITS,
        info & snp.platform_required == snp.platform_required and not info & snp.platform_forbidden,
        f"platform info {info:#x}, must have {snp.platform_required:#x}, not {snp.platform_forbidden:#x}",
    )
    ledger.note(
        Finding.PRIVILEGE_LEVEL, report.vmpl in snp.vmpl, f"VMPL {report.vmpl}, allowed {list(snp.vmpl)}"
    )
    ledger.note(
        Finding.FLEET_KEY_NOT_ALLOWED,
        not facts.fleet or snp.fleet_keys,
        f"signed by the fleet key of {facts.fleet}" if facts.fleet else "signed by the chip's own key",
    )
