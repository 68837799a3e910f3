"""A forge of vendors: roots, chains and reports in the vendors' formats, made fresh for each run.

It stands in for hardware that nobody could capture (Turin, VLEK, SNP v5, NVSwitch) and for states that no
capture is in (revoked, out of date, expired). Tests pin its roots in place of the vendors'.
"""

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from parley_attestation.evidence import Endorsements, EvidenceItem, der
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
            if "hwid" in changes:
                extensions.append((arc + "4", changes["hwid"]))
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

    def ocsp(self, *, status="GOOD", since=NOW - DAY, until=NOW + DAY, delegate=False, **responder):
        """Responses for every authority of the last item's chain."""
        found = []
        for child, issuer in zip(self.path[1:-1], self.path[2:], strict=True):
            builder = ocsp.OCSPResponseBuilder().add_response(
                cert=child.cert,
                issuer=issuer.cert,
                algorithm=hashes.SHA256(),
                cert_status=ocsp.OCSPCertStatus[status],
                this_update=when(since),
                next_update=None if until is None else when(until),
                revocation_time=when(NOW - DAY) if status == "REVOKED" else None,
                revocation_reason=x509.ReasonFlags.certificate_hold if status == "REVOKED" else None,
            )
            key, signer = issuer.key, issuer.cert
            if delegate:
                key = p384()
                signer = responder_of(responder.get("responder_issuer", issuer), key, **responder)
                builder = builder.certificates([signer])
            builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
            found.append(builder.sign(key, hashes.SHA384()).public_bytes(DER))
        return tuple(found)


def responder_of(issuer, key, *, usage=x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING, **changes):
    """The certificate of a delegated responder."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("responder"))
        .issuer_name(name(issuer.common))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(when(NOW - DAY))
        .not_valid_after(when(changes.get("responder_until", NOW + DAY)))
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer.key, hashes.SHA384())
