"""Room: evidence. Intel DCAP collateral: TCB info, QE identity and CRLs; called by `dcap` only.

Source: Intel PCS API v4, and Intel's "TCB recovery" verification order. The signatures cover the exact
JSON bytes; what was signed is what is parsed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from parley_attestation.canonical import Fields
from parley_attestation.evidence import crypto, pem, revocation, strictjson
from parley_attestation.evidence.crypto import Algorithm
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import Collateral
from parley_attestation.evidence.pck import Platform
from parley_attestation.evidence.policy import STATUSES
from parley_attestation.evidence.roots import pinned
from parley_attestation.evidence.tdx import SgxReport, TdReport
from parley_attestation.evidence.x509 import Certificate, parse_certificate, parse_crl, verify_path

MAX_JSON = 128 << 10  # bytes of TCB info or QE identity
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UNMATCHED = ("Unrecognised", ())


@dataclass(frozen=True, slots=True)
class TcbState:
    """What verified collateral says about one platform.

    Attributes:
        statuses: Status by part: platform, module (TDX), quoting enclave.
        advisories: Intel security advisories that stand behind the statuses.
        evaluation: The lower of the two tcbEvaluationDataNumbers.
        issued: When the older of the two documents was issued, Unix seconds.
    """

    statuses: Mapping[str, str]
    advisories: tuple[str, ...]
    evaluation: int
    issued: int

    @property
    def worst(self) -> str:
        """The worst status of all parts."""
        order = (*STATUSES, "Unrecognised")
        return max(self.statuses.values(), key=order.index)


def is_complete(found: Collateral | None) -> bool:
    """Say whether no part of the collateral is missing."""
    return found is not None and all(getattr(found, one.name) for one in fields(found))


def evaluate(
    found: Collateral,
    body: SgxReport | TdReport,
    qe_report: SgxReport,
    platform: Platform,
    path: tuple[Certificate, ...],
    at: int,
    ledger: Ledger,
) -> TcbState:
    """Verify collateral for one platform and look up its TCB statuses.

    Args:
        found: Complete collateral.
        body: The quote's body, verified.
        qe_report: The quoting enclave's report, verified.
        platform: What the PCK certificate says.
        path: The verified PCK path, root last.
        at: The time of appraisal, Unix seconds; every validity period includes both ends.
        ledger: Where checks are recorded.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    is_td = isinstance(body, TdReport)
    _crls(found, path, _signers(found, at, ledger), at, ledger)
    info = strictjson.fields(found.tcb_info, MAX_JSON, "TCB info")
    identity = strictjson.fields(found.qe_identity, MAX_JSON, "QE identity")
    issued = min(_dates(info, "TCB info", at, ledger), _dates(identity, "QE identity", at, ledger))
    evaluation = min(one.integer("tcbEvaluationDataNumber") for one in (info, identity))
    _about(info, platform, "TDX" if is_td else "SGX", ledger)
    results = {"platform": _platform(info, body, platform)}
    if isinstance(body, TdReport):
        results["module"] = _module(info, body, ledger)
    results["quoting enclave"] = _quoting_enclave(identity, qe_report, "TD_QE" if is_td else "QE", ledger)
    return TcbState(
        {part: status for part, (status, _) in results.items()},
        tuple(sorted({one for _, advisories in results.values() for one in advisories})),
        evaluation,
        issued,
    )


def _signers(found: Collateral, at: int, ledger: Ledger) -> list[Certificate]:
    info = (found.tcb_info, found.tcb_info_signature, found.tcb_info_chain)
    identity = (found.qe_identity, found.qe_identity_signature, found.qe_identity_chain)
    return [_signed(*info, "TCB info", at, ledger), _signed(*identity, "QE identity", at, ledger)]


def _signed(
    document: bytes, signature: bytes, chain: bytes, what: str, at: int, ledger: Ledger
) -> Certificate:
    path = [parse_certificate(raw) for raw in pem.chain(chain, 4)]
    verify_path(path, [pinned("intel_sgx_root_ca")], at, ledger)
    signer = path[0]
    ledger.demand(
        Finding.WRONG_CERTIFICATE_ROLE,
        signer.common_name == "Intel SGX TCB Signing",
        f"{what} signed under {signer.common_name!r}",
    )
    crypto.verify(
        crypto.load_key(signer.spki),
        Algorithm.ECDSA_P256_SHA256,
        document,
        signature,
        Finding.COLLATERAL_SIGNATURE_INVALID,
    )
    ledger.note(Finding.COLLATERAL_SIGNATURE_INVALID, True, f"Intel signed the {what}")
    return signer


def _crls(
    found: Collateral, path: tuple[Certificate, ...], signers: list[Certificate], at: int, ledger: Ledger
) -> None:
    root, authority = path[-1], path[1]
    issuers = [parse_certificate(raw) for raw in pem.chain(found.pck_crl_chain, 4)]
    verify_path(issuers, [root], at, ledger)
    root_crl = parse_crl(found.root_crl, revocation.MAX_CRL)
    revocation.check_crl(root_crl, root, at, ledger)
    revocation.note_revoked(root_crl, [authority, *signers, *issuers[:-1]], ledger)
    pck_crl = parse_crl(found.pck_crl, revocation.MAX_CRL)
    revocation.check_crl(pck_crl, authority, at, ledger)
    revocation.note_revoked(pck_crl, [path[0]], ledger)


def _dates(document: Fields, what: str, at: int, ledger: Ledger) -> int:
    issued, until = (seconds(document.text(name, 32)) for name in ("issueDate", "nextUpdate"))
    ledger.note(Finding.COLLATERAL_NOT_YET_VALID, issued <= at, f"{what} issued at {issued}")
    ledger.note(Finding.COLLATERAL_EXPIRED, at <= until, f"{what} valid until {until}")
    return issued


def seconds(text: str) -> int:
    """Unix seconds of an Intel timestamp. Raises `EvidenceError` (BAD_ENDORSEMENT)."""
    try:
        moment = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        refuse(Finding.BAD_ENDORSEMENT, "expected a time as YYYY-MM-DDTHH:MM:SSZ in collateral")
    return int(moment.timestamp())


def _about(info: Fields, platform: Platform, expected: str, ledger: Ledger) -> None:
    version, name = info.integer("version"), info.text("id", 16)
    ledger.demand(
        Finding.COLLATERAL_MISMATCH, version == 3 and name == expected, f"TCB info {name!r} version {version}"
    )
    fmspc, pce = info.text("fmspc", 12).lower(), info.text("pceId", 4).lower()
    ledger.demand(
        Finding.COLLATERAL_MISMATCH,
        fmspc == platform.fmspc.hex() and pce == platform.pce_id.hex(),
        f"TCB info of FMSPC {fmspc}, the platform's is {platform.fmspc.hex()}",
    )


def _components(tcb: Fields, name: str) -> list[int]:
    return list(tcb.items(name, lambda one: one.integer("svn", 0, 255), 16, 16))


def _platform(info: Fields, body: SgxReport | TdReport, platform: Platform) -> tuple[str, tuple[str, ...]]:
    for level in info.items("tcbLevels", lambda one: one, 256, 1):
        tcb = level.object("tcb")
        reached = platform.pce_svn >= tcb.integer("pcesvn", 0, 65535) and all(
            has >= least
            for has, least in zip(platform.components, _components(tcb, "sgxtcbcomponents"), strict=True)
        )
        if reached and isinstance(body, TdReport):
            # Bytes 0 and 1 are the module's own where it has a version: `_module` judges them.
            skip = 2 if body.tee_tcb_svn[1] else 0
            needed = _components(tcb, "tdxtcbcomponents")
            reached = all(h >= n for h, n in zip(body.tee_tcb_svn[skip:], needed[skip:], strict=True))
        if reached:
            return _status(level)
    return _UNMATCHED


def _status(level: Fields) -> tuple[str, tuple[str, ...]]:
    status = level.text("tcbStatus", 64)
    advisories = level.texts("advisoryIDs", 256) if level.has("advisoryIDs") else ()
    return (status if status in STATUSES else "Unrecognised"), advisories


def _module(info: Fields, body: TdReport, ledger: Ledger) -> tuple[str, tuple[str, ...]]:
    version = body.tee_tcb_svn[1]
    levels: tuple[Fields, ...] = ()
    identity: Fields | None = None
    if version:
        wanted = f"TDX_{version:02x}"
        known = info.has("tdxModuleIdentities")
        for one in info.items("tdxModuleIdentities", lambda entry: entry, 64) if known else ():
            if one.text("id", 16).lower() == wanted.lower():
                identity = one
                levels = one.items("tcbLevels", lambda level: level, 64, 1)
                break
    else:
        identity = info.object("tdxModule")
    if identity is None:
        return _UNMATCHED
    signer, attributes = _hex(identity, "mrsigner", 48), _hex(identity, "attributes", 8)
    mask = _hex(identity, "attributesMask", 8)
    ledger.demand(
        Finding.QE_IDENTITY_MISMATCH,
        body.mrsignerseam == signer and _masked(body.seam_attributes, mask) == attributes,
        f"TDX module version {version}, signer {body.mrsignerseam.hex()[:16]}…",
    )
    if not version:
        return "UpToDate", ()
    for level in levels:
        if body.tee_tcb_svn[0] >= level.object("tcb").integer("isvsvn", 0, 255):
            return _status(level)
    return _UNMATCHED


def _quoting_enclave(
    identity: Fields, report: SgxReport, expected: str, ledger: Ledger
) -> tuple[str, tuple[str, ...]]:
    name, version = identity.text("id", 16), identity.integer("version")
    fits = (
        name == expected
        and version == 2
        and report.mrsigner == _hex(identity, "mrsigner", 32)
        and report.isv_prod_id == identity.integer("isvprodid", 0, 65535)
        and _masked(report.misc_select, _hex(identity, "miscselectMask", 4))
        == _hex(identity, "miscselect", 4)
        and _masked(report.attributes, _hex(identity, "attributesMask", 16))
        == _hex(identity, "attributes", 16)
    )
    ledger.demand(
        Finding.QE_IDENTITY_MISMATCH, fits, f"identity {name!r}, quoting enclave product {report.isv_prod_id}"
    )
    for level in identity.items("tcbLevels", lambda one: one, 64, 1):
        if report.isv_svn >= level.object("tcb").integer("isvsvn", 0, 65535):
            return _status(level)
    return _UNMATCHED


def _hex(document: Fields, name: str, size: int) -> bytes:
    text = document.text(name, 2 * size)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size or len(text) != 2 * size:
        document.refuse(name, f"{2 * size} hexadecimal digits")
    return value


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(a & b for a, b in zip(value, mask, strict=True))


def attestation_key_hash(key: bytes, auth_data: bytes) -> bytes:
    """What the QE report must carry: SHA-256 of the attestation key and the authentication data."""
    return hashlib.sha256(key + auth_data).digest() + bytes(32)
