"""A forge of vendors: roots, chains and reports in the vendors' formats, made fresh for each run.

It stands in for hardware that nobody could capture (Turin, VLEK, SNP v5, NVSwitch) and for states that no
capture is in (revoked, out of date, expired). Tests pin its roots in place of the vendors'.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from parley_attestation.evidence import Collateral, Endorsements, EvidenceItem, der
from parley_attestation.evidence.x509 import parse_certificate

NOW = 1_750_000_000
DAY = 86_400
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


SIGNING = x509.KeyUsage(
    *(False,) * 5, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
)


def when(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@dataclass
class Authority:
    """A certificate with its key."""

    common: str
    key: object
    cert: x509.Certificate
    pss: bool = False

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(DER)

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(PEM)

    def parsed(self):
        return parse_certificate(self.der)


def issue(
    common,
    key,
    issuer=None,
    *,
    ca=True,
    since=NOW - 100 * DAY,
    until=NOW + 100 * DAY,
    extensions=(),
    pss=False,
    digest=None,
    serial=None,
    critical=False,
):
    """Issue a certificate; self-signed where no issuer is given."""
    signer = issuer.key if issuer else key
    pss = issuer.pss if issuer else pss
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(name(issuer.common if issuer else common))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(when(since))
        .not_valid_after(when(until))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(SIGNING, critical=True)
    for oid, value in extensions:
        builder = builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=critical
        )
    if isinstance(signer, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
        return Authority(common, key, builder.sign(signer, hashes.SHA384(), rsa_padding=scheme), True)
    algorithm = digest or (hashes.SHA256() if signer.curve.key_size == 256 else hashes.SHA384())
    return Authority(common, key, builder.sign(signer, algorithm), pss)


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def p384():
    return ec.generate_private_key(ec.SECP384R1())


def raw_signature(key, message: bytes, digest, size: int) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def crl(issuer: Authority, revoked=(), *, since=NOW - DAY, until=NOW + DAY) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name(issuer.common))
        .last_update(when(since))
        .next_update(when(until))
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when(since)).build()
        )
    if isinstance(issuer.key, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
        return builder.sign(issuer.key, hashes.SHA384(), rsa_padding=scheme).public_bytes(DER)
    digest = hashes.SHA256() if issuer.key.curve.key_size == 256 else hashes.SHA384()
    return builder.sign(issuer.key, digest).public_bytes(DER)


# AMD ------------------------------------------------------------------------------------------------


@dataclass
class Amd:
    """AMD's roots for every product, and reports signed by chips of them."""

    roots: dict = field(default_factory=dict)

    def __post_init__(self):
        key = rsa.generate_private_key(65537, 2048)
        for product in ("Milan", "Genoa", "Turin"):
            ark = issue(f"ARK-{product}", key, pss=True)
            ask = issue(f"SEV-{product}", key, ark)
            asvk = issue(f"SEV-VLEK-{product}", key, ark)
            self.roots[product.lower()] = (ark, ask, asvk)

    def pinned(self, wanted: str):
        _, product, role = wanted.split("_")
        return self.roots[product][("ark", "ask", "asvk").index(role)].parsed()

    def item(self, product="genoa", *, fleet=False, crls=(), **changes) -> EvidenceItem:
        """A report and its certificate; `changes` override parts of either."""
        key = p384()
        _, ask, asvk = self.roots[product]
        tcb = changes.get("tcb", {"bl": 9, "tee": 0, "snp": 21, "ucode": 72, "fmc": 1})
        certified = changes.get("certified", tcb)
        turin = product == "turin"
        chip = changes.get("chip", b"\x11" * (8 if turin else 64))
        arc = "1.3.6.1.4.1.3704.1."
        extensions = [(arc + "1", b"\x02\x01\x00")]
        text = changes.get("named", f"{product.title()}-B0").encode()
        extensions.append((arc + "2", bytes((0x16, len(text))) + text))
        for number, part in (
            (1, "bl"),
            (2, "tee"),
            (3, "snp"),
            (8, "ucode"),
            *(((9, "fmc"),) if turin else ()),
        ):
            value = certified[part]
            body = bytes((value,)) if value < 128 else bytes((0, value))
            extensions.append((f"{arc}3.{number}", bytes((2, len(body))) + body))
        if fleet:
            extensions.append((arc + "5", b"\x16\x05cloud"))
        else:
            hwid = changes.get("hwid", chip)
            extensions.append((arc + "4", bytes((4, len(hwid))) + hwid if changes.get("wrapped") else hwid))
        leaf = issue(
            changes.get("common", "SEV-VLEK" if fleet else "SEV-VCEK"),
            key,
            changes.get("issuer", asvk if fleet else ask),
            ca=False,
            extensions=extensions,
            since=changes.get("since", NOW - DAY),
            until=changes.get("until", NOW + DAY),
        )
        raw = report(product, tcb, chip if not fleet else bytes(8 if turin else 64), fleet=fleet, **changes)
        r, s = decode_dss_signature(key.sign(raw, ec.ECDSA(hashes.SHA384())))
        raw += r.to_bytes(72, "little") + s.to_bytes(72, "little") + changes.get("tail", bytes(368))
        return EvidenceItem("snp", raw, Endorsements((leaf.der,), tuple(crls)))


def report(product, parts, chip_id, *, fleet, **changes) -> bytes:
    version = changes.get("version", 3)
    layout = (
        (parts["fmc"], parts["bl"], parts["tee"], parts["snp"], 0, 0, 0, parts["ucode"])
        if product == "turin"
        else (parts["bl"], parts["tee"], 0, 0, 0, 0, parts["snp"], parts["ucode"])
    )
    raw = bytearray(0x2A0)
    struct.pack_into("<IIQ", raw, 0, version, changes.get("guest_svn", 0), changes.get("policy", 0x30000))
    struct.pack_into("<II", raw, 0x30, changes.get("vmpl", 0), changes.get("algorithm", 1))
    struct.pack_into(
        "<QI", raw, 0x40, changes.get("platform", 0x25), changes.get("signer", 1 if fleet else 0) << 2
    )
    raw[0x50:0x90] = changes.get("bound", bytes(range(64)))
    raw[0x90:0xC0] = changes.get("measurement", b"\xaa" * 48)
    for at in (0x38, 0x180, 0x1E0, 0x1F0):
        raw[at : at + 8] = bytes(layout)
    if "launch" in changes:
        raw[0x1F0:0x1F8] = bytes(changes["launch"])
    if version >= 3:
        cpu = {"milan": (0x19, 1, 1), "genoa": (0x19, 0x11, 1), "turin": (0x1A, 2, 1)}[product]
        raw[0x188:0x18B] = bytes(changes.get("cpuid", cpu))
    if version >= 5:
        struct.pack_into("<QQ", raw, 0x1F8, 3, 3)
    raw[0x1A0 : 0x1A0 + len(chip_id)] = chip_id
    return bytes(raw)


# Intel ----------------------------------------------------------------------------------------------


def tlv(tag: int, body: bytes) -> bytes:
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body


def number(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return tlv(2, body)


def oid(dotted: str) -> bytes:
    return tlv(6, der.oid(dotted))


SGX = "1.2.840.113741.1.13.1"


def sgx_extension(components, pcesvn, fmspc) -> bytes:
    tcb = b"".join(tlv(0x30, oid(f"{SGX}.2.{n}") + number(v)) for n, v in enumerate(components, 1))
    tcb += tlv(0x30, oid(f"{SGX}.2.17") + number(pcesvn))
    tcb += tlv(0x30, oid(f"{SGX}.2.18") + tlv(4, bytes(components)))
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
        self.pck = issue(
            changes.get("common", "Intel SGX PCK Certificate"),
            pck_key,
            changes.get("issuer", self.authority),
            ca=False,
            extensions=[
                (
                    SGX,
                    sgx_extension(changes.get("components", [5] * 16), changes.get("pcesvn", 13), self.fmspc),
                )
            ],
            since=changes.get("since", NOW - DAY),
            until=changes.get("until", NOW + DAY),
        )
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
        body = (
            td_body(td15=td15, **changes)
            if tdx
            else enclave(
                signer=b"\x22" * 32,
                product=7,
                svn=1,
                data=changes.get("bound", bytes(range(64))),
                attributes=changes.get("attributes", b"\x05" + bytes(15)),
            )
        )
        head = struct.pack("<HHIHH", version, 2, 0x81 if tdx else 0, 0, 0)
        head += bytes.fromhex("939a7233f79c4ca9940a0db3957f0607") + bytes(20)
        if version == 5:
            kind = (3 if td15 else 2) if tdx else 1
            head += struct.pack("<HI", kind, len(body))
        signed = head + body
        chain = self.pck.pem + changes.get("issuer", self.authority).pem + self.root.pem
        certified = struct.pack("<HI", 5, len(chain)) + chain
        inner = (
            qe + raw_signature(pck_key, qe, hashes.SHA256(), 32) + struct.pack("<H", 32) + auth + certified
        )
        if version > 3:
            inner = struct.pack("<HI", 6, len(inner)) + inner
        data = raw_signature(attestation, signed, hashes.SHA256(), 32) + point + inner
        return signed + struct.pack("<I", len(data)) + data + padding_bytes

    def collateral(self, *, tdx=True, **changes) -> Collateral:
        """Collateral for the last quote; `changes` override fields."""
        since, until = changes.get("issued", NOW - DAY), changes.get("next", NOW + 29 * DAY)
        dates = {"issueDate": stamp(since), "nextUpdate": stamp(until)}
        levels = changes.get("levels") or [level(4, "UpToDate", tdx=tdx), level(0, "OutOfDate", tdx=tdx)]
        info = {
            "id": changes.get("info_id", "TDX" if tdx else "SGX"),
            "version": 3,
            **dates,
            "fmspc": changes.get("fmspc", self.fmspc.hex().upper()),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": changes.get("evaluation", 17),
        }
        if tdx:
            same = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            info["tdxModule"] = same
            module = changes.get("module", "UpToDate")
            info["tdxModuleIdentities"] = [
                {
                    "id": "TDX_01",
                    **same,
                    "tcbLevels": [{"tcb": {"isvsvn": 4}, "tcbDate": stamp(since), "tcbStatus": module}],
                }
            ]
            if not changes.get("modules", True):
                del info["tdxModuleIdentities"]
        info["tcbLevels"] = levels
        identity = {
            "id": changes.get("identity_id", "TD_QE" if tdx else "QE"),
            "version": 2,
            **dates,
            "tcbEvaluationDataNumber": changes.get("evaluation", 17),
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11" + "00" * 15,
            "attributesMask": "FB" + "FF" * 7 + "00" * 8,
            "mrsigner": self.qe_signer.hex().upper(),
            "isvprodid": 2 if tdx else 1,
            "tcbLevels": [
                {"tcb": {"isvsvn": 8}, "tcbDate": stamp(since), "tcbStatus": changes.get("qe", "UpToDate")},
                {"tcb": {"isvsvn": 1}, "tcbDate": stamp(since), "tcbStatus": "OutOfDate"},
            ],
        }
        signer = changes.get("signer", self.signer)
        chain = signer.pem + self.root.pem
        raw_info, raw_identity = (json.dumps(one, separators=(",", ":")).encode() for one in (info, identity))
        sign = lambda raw: raw_signature(signer.key, raw, hashes.SHA256(), 32)  # noqa: E731
        authority = changes.get("authority", self.authority)
        return Collateral(
            raw_info,
            sign(raw_info),
            chain,
            raw_identity,
            sign(raw_identity),
            chain,
            crl(
                authority,
                changes.get("revoked", ()),
                since=changes.get("crl_since", NOW - DAY),
                until=changes.get("crl_until", NOW + DAY),
            ),
            authority.pem + self.root.pem,
            crl(self.root, changes.get("root_revoked", ())),
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


# AWS ------------------------------------------------------------------------------------------------


class Aws:
    """The Nitro root, a bundle and documents."""

    def __init__(self):
        self.root = issue("aws.nitro-enclaves", p384())
        self.zone = issue("zone", p384(), self.root, since=NOW - 3600, until=NOW + DAY)
        self.leaf = issue("leaf", p384(), self.zone, ca=False, since=NOW - 60, until=NOW + 3 * 3600)

    def pinned(self, _wanted: str):
        return self.root.parsed()

    def payload(self, **changes) -> dict:
        return {
            "module_id": "i-0-enc0",
            "digest": "SHA384",
            "timestamp": NOW * 1000,
            "pcrs": {n: bytes((n + 1,)) * 48 for n in range(16)},
            "certificate": self.leaf.der,
            "cabundle": [self.root.der, self.zone.der],
            "public_key": None,
            "user_data": None,
            "nonce": bytes(range(64)),
            **changes,
        }

    def sign(self, payload: bytes, *, protected=b"\xa1\x01\x38\x22", unprotected=None) -> bytes:
        message = cbor2.dumps(["Signature1", protected, b"", payload])
        signature = raw_signature(self.leaf.key, message, hashes.SHA384(), 48)
        return cbor2.dumps([protected, unprotected or {}, payload, signature])

    def item(self, **changes) -> EvidenceItem:
        return EvidenceItem("nitro", self.sign(cbor2.dumps(self.payload(**changes))))


# NVIDIA ---------------------------------------------------------------------------------------------


class Nvidia:
    """The device identity root, and reports of GPUs and switches."""

    def __init__(self):
        self.root = issue("NVIDIA Device Identity CA", p384())

    def pinned(self, _wanted: str):
        return self.root.parsed()

    def item(
        self, model="GH100", *, opaque=(), nonce=bytes(range(32)), fwid=b"\x66" * 48, tail=b"", **changes
    ):
        identity = issue(f"NVIDIA {model} Identity", p384(), self.root)
        ica = issue(f"NVIDIA {model} Provisioner ICA 1", p384(), identity)
        brom = issue(f"{model} A01 GSP BROM", p384(), ica)
        key = p384()
        name_ = tlv(6, bytes.fromhex("608648016503040202"))
        tcb = tlv(0x30, tlv(2, b"\x01") + tlv(0x30, b"") + tlv(0x30, name_ + tlv(4, fwid)))
        leaf = issue(f"{model} A01 GSP FMC LF", key, brom, ca=False, extensions=[("2.23.133.5.4.1", tcb)])
        self.path = (leaf, brom, ica, identity, self.root)
        fields = [(3, b"595.58.03\0"), (6, bytes.fromhex("0081029801000000")), *opaque]
        if changes.get("reported", True):
            fields.append((20, fwid))
        blob = b"".join(
            struct.pack("<HH", kind, len(value)) + value for kind, value in fields if value is not None
        )
        block = b"".join(
            bytes((n, 1)) + struct.pack("<H", 51) + b"\x01" + struct.pack("<H", 48) + bytes((n,)) * 48
            for n in range(1, 65)
        )
        signed = b"\x11\xe0\x01\xff" + nonce + b"\0" + b"\x11\x60\0\0" + bytes((64,))
        signed += (
            len(block).to_bytes(3, "little") + block + b"\x99" * 32 + struct.pack("<H", len(blob)) + blob
        )
        raw = signed + raw_signature(key, signed, hashes.SHA384(), 48) + tail
        certificates = tuple(one.der for one in self.path)
        return EvidenceItem("nvidia", raw, Endorsements(certificates, ocsp=changes.get("ocsp", ())))

    def ocsp(self, *, status="GOOD", until=NOW + DAY, delegate=False) -> tuple[bytes, ...]:
        """Responses for every authority of the last item's chain."""
        found = []
        for child, issuer in zip(self.path[1:-1], self.path[2:], strict=True):
            builder = ocsp.OCSPResponseBuilder().add_response(
                cert=child.cert,
                issuer=issuer.cert,
                algorithm=hashes.SHA256(),
                cert_status=ocsp.OCSPCertStatus[status],
                this_update=when(NOW - DAY),
                next_update=when(until),
                revocation_time=when(NOW - DAY) if status == "REVOKED" else None,
                revocation_reason=x509.ReasonFlags.certificate_hold if status == "REVOKED" else None,
            )
            key, signer = issuer.key, issuer.cert
            if delegate:
                usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING])
                key = p384()
                signer = (
                    x509.CertificateBuilder()
                    .subject_name(name("responder"))
                    .issuer_name(name(issuer.common))
                    .public_key(key.public_key())
                    .serial_number(7)
                    .not_valid_before(when(NOW - DAY))
                    .not_valid_after(when(NOW + DAY))
                    .add_extension(usage, critical=False)
                    .sign(issuer.key, hashes.SHA384())
                )
                builder = builder.certificates([signer])
            builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
            found.append(builder.sign(key, hashes.SHA384()).public_bytes(DER))
        return tuple(found)


__all__ = ["DAY", "NOW", "Amd", "Aws", "Intel", "Nvidia", "crl", "issue", "level", "timedelta"]
