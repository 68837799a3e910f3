"""The forge of Intel: PCK chains, quotes of every layout, and collateral in every state."""

import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes
from evidence_forge import DAY, NOW, crl, issue, number, oid, p256, raw_signature, tlv, when
from parley_attestation.evidence import Collateral

SGX = "1.2.840.113741.1.13.1"


def sgx_extension(components, pcesvn, fmspc) -> bytes:
    tcb = b"".join(tlv(0x30, oid(f"{SGX}.2.{n}") + number(v)) for n, v in enumerate(components, 1))
    tcb += tlv(0x30, oid(f"{SGX}.2.17") + number(pcesvn))
    tcb += tlv(0x30, oid(f"{SGX}.2.18") + tlv(4, bytes(min(v, 255) for v in components)))
    return tlv(
        0x30,
        tlv(0x30, oid(f"{SGX}.1") + tlv(4, b"\x77" * 16))
        + tlv(0x30, oid(f"{SGX}.2") + tlv(0x30, tcb))
        + tlv(0x30, oid(f"{SGX}.3") + tlv(4, bytes(2)))
        + tlv(0x30, oid(f"{SGX}.4") + tlv(4, fmspc))
        + tlv(0x30, oid(f"{SGX}.5") + tlv(10, b"\x01")),
    )


class Intel:
    """Intel's root, PCK and TCB signing authorities, quotes and collateral."""

    def __init__(self):
        self.root = issue("Intel SGX Root CA", p256())
        self.authority = issue("Intel SGX PCK Platform CA", p256(), self.root)
        self.processor = issue("Intel SGX PCK Processor CA", p256(), self.root)
        self.signer = issue("Intel SGX TCB Signing", p256(), self.root, ca=False)
        self.fmspc = bytes.fromhex("00a0b0c0d0e0")
        self.qe_signer = b"\xdc" * 32

    def pinned(self, _wanted: str):
        return self.root.parsed()

    def quote(self, *, version=4, tdx=True, td15=False, padding_bytes=b"", **changes) -> bytes:
        """A quote; `changes` override fields."""
        pck_key, attestation = p256(), p256()
        authority = changes.get("issuer", self.authority)
        self.pck = self._pck(pck_key, authority, changes)
        numbers = attestation.public_key().public_numbers()
        point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        auth = bytes(range(32))
        vouched = changes.get("vouched", hashlib.sha256(point + auth).digest())
        qe = enclave(
            signer=self.qe_signer,
            product=2 if tdx else 1,
            svn=changes.get("qe_svn", 8),
            data=vouched + bytes(32),
        )
        body = td_body(td15=td15, **changes) if tdx else application(**changes)
        signed = header(version, body, tdx=tdx, td15=td15) + body
        chain = self.pck.pem + authority.pem + self.root.pem
        inner = qe + raw_signature(pck_key, qe, hashes.SHA256(), 32) + struct.pack("<H", 32) + auth
        inner += struct.pack("<HI", 5, len(chain)) + chain
        if version > 3:
            inner = struct.pack("<HI", 6, len(inner)) + inner
        data = raw_signature(attestation, signed, hashes.SHA256(), 32) + point + inner
        return signed + struct.pack("<I", len(data)) + data + padding_bytes

    def _pck(self, key, authority, changes):
        extension = sgx_extension(changes.get("components", [5] * 16), changes.get("pcesvn", 13), self.fmspc)
        return issue(
            changes.get("common", "Intel SGX PCK Certificate"),
            key,
            authority,
            ca=False,
            extensions=[(SGX, extension)],
            since=changes.get("since", NOW - DAY),
            until=changes.get("until", NOW + DAY),
        )

    def collateral(self, *, tdx=True, **changes) -> Collateral:
        """Collateral for the last quote; `changes` override fields."""
        signer = changes.get("signer", self.signer)
        authority = changes.get("authority", self.authority)
        info = json.dumps(self._info(tdx, changes), separators=(",", ":")).encode()
        identity = json.dumps(self._identity(tdx, changes), separators=(",", ":")).encode()
        chain = signer.pem + self.root.pem
        pck_crl = crl(
            authority,
            changes.get("revoked", ()),
            since=changes.get("crl_since", NOW - DAY),
            until=changes.get("crl_until", NOW + DAY),
        )
        return Collateral(
            info,
            raw_signature(signer.key, info, hashes.SHA256(), 32),
            chain,
            identity,
            raw_signature(signer.key, identity, hashes.SHA256(), 32),
            chain,
            pck_crl,
            authority.pem + self.root.pem,
            crl(self.root, changes.get("root_revoked", ())),
        )

    def _info(self, tdx, changes) -> dict:
        info = {
            "id": changes.get("info_id", "TDX" if tdx else "SGX"),
            "version": 3,
            **dates(changes),
            "fmspc": changes.get("fmspc", self.fmspc.hex().upper()),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": changes.get("evaluation", 17),
            "tcbLevels": changes.get("levels")
            or [level(4, "UpToDate", tdx=tdx), level(0, "OutOfDate", tdx=tdx)],
        }
        if tdx:
            same = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            status = {"tcbDate": stamp(NOW), "tcbStatus": changes.get("module", "UpToDate")}
            info["tdxModule"] = same
            if changes.get("modules", True):
                levels = [{"tcb": {"isvsvn": 4}, **status}]
                info["tdxModuleIdentities"] = [{"id": "TDX_01", **same, "tcbLevels": levels}]
        return info

    def _identity(self, tdx, changes) -> dict:
        best = {"tcbDate": stamp(NOW), "tcbStatus": changes.get("qe", "UpToDate")}
        worst = {"tcbDate": stamp(NOW), "tcbStatus": "OutOfDate"}
        return {
            "id": changes.get("identity_id", "TD_QE" if tdx else "QE"),
            "version": 2,
            **dates(changes),
            "tcbEvaluationDataNumber": changes.get("evaluation", 17),
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11" + "00" * 15,
            "attributesMask": "FB" + "FF" * 7 + "00" * 8,
            "mrsigner": changes.get("qe_mrsigner", self.qe_signer.hex().upper()),
            "isvprodid": changes.get("qe_product", 2 if tdx else 1),
            "tcbLevels": [{"tcb": {"isvsvn": 8}, **best}, {"tcb": {"isvsvn": 1}, **worst}],
        }


def dates(changes) -> dict:
    since, until = changes.get("issued", NOW - DAY), changes.get("next", NOW + 29 * DAY)
    return {"issueDate": changes.get("stamp", stamp(since)), "nextUpdate": stamp(until)}


def header(version: int, body: bytes, *, tdx: bool, td15: bool) -> bytes:
    head = struct.pack("<HHIHH", version, 2, 0x81 if tdx else 0, 0, 0)
    head += bytes.fromhex("939a7233f79c4ca9940a0db3957f0607") + bytes(20)
    if version == 5:
        kind = (3 if td15 else 2) if tdx else 1
        head += struct.pack("<HI", kind, len(body))
    return head


def application(**changes) -> bytes:
    return enclave(
        signer=b"\x22" * 32,
        product=7,
        svn=1,
        data=changes.get("bound", bytes(range(64))),
        attributes=changes.get("attributes", b"\x05" + bytes(15)),
    )


def stamp(seconds: int) -> str:
    return when(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def level(svn: int, status: str, *, tdx=True, advisories=(), pcesvn=13) -> dict:
    components = [{"svn": svn}] * 16
    tcb = {"sgxtcbcomponents": components, "pcesvn": pcesvn if svn else 0}
    if tdx:
        tcb["tdxtcbcomponents"] = [{"svn": svn}, {"svn": 0}, *components[2:]]
    found = {"tcb": tcb, "tcbDate": stamp(NOW - 100 * DAY), "tcbStatus": status}
    return found | ({"advisoryIDs": list(advisories)} if advisories else {})


def enclave(*, signer, product, svn, data, attributes=b"\x11" + bytes(15)) -> bytes:
    return (
        bytes(48)
        + attributes
        + b"\x33" * 32
        + bytes(32)
        + signer
        + bytes(96)
        + struct.pack("<HH", product, svn)
        + bytes(60)
        + data
    )


def td_body(*, td15, **changes) -> bytes:
    attributes = changes.get("td_attributes", 1 << 28).to_bytes(8, "little")
    body = (
        changes.get("tee_tcb", bytes([5, 1]) + bytes([5]) * 14)
        + b"\x44" * 48
        + changes.get("mrsignerseam", bytes(48))
        + bytes(8)
        + attributes
        + bytes(8)
        + b"\x55" * 48
        + bytes(144)
        + b"".join(bytes((n,)) * 48 for n in range(1, 5))
        + changes.get("bound", bytes(range(64)))
    )
    if td15:
        body += changes.get("tee_tcb", bytes([5, 1]) + bytes([5]) * 14) + changes.get("service", bytes(48))
    return body
