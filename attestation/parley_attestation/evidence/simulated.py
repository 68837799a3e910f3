"""Room: evidence. Simulated evidence, which is not hardware and says so; for laboratories only.

Its root is a key made for one run, never shipped; only `LaboratoryPolicy` can name one. Label, profile
and kind are its own, so nothing made here can be taken for hardware.
"""

from dataclasses import dataclass
from types import MappingProxyType

from parley_attestation import canonical
from parley_attestation.canonical import Fields
from parley_attestation.ed25519 import PublicKey, SigningKey, verify
from parley_attestation.encoding import Label, frame
from parley_attestation.errors import PeerError, Reason
from parley_attestation.evidence.findings import Finding, Ledger, refuse
from parley_attestation.evidence.model import Claims, EvidenceItem, Kind, body_digest
from parley_attestation.evidence.roots import Vendor

PROFILE = "tag:parley,2026:simulated-evidence/v1#NOT-HARDWARE"
MAX_SIZE = 8 << 10  # bytes


@dataclass(frozen=True, slots=True)
class SimulatedEnclave:
    """A program that plays an enclave: it signs what it is told with a root key made for this run."""

    root: SigningKey
    instance: str
    measurement: bytes

    def collect(self, binder: bytes) -> bytes:
        """Raw evidence over `binder`."""
        body = {
            "profile": PROFILE,
            "instance": self.instance,
            "measurement": self.measurement.hex(),
            "binder": binder.hex(),
        }
        signature = self.root.sign(frame(Label.EVIDENCE_SIMULATED, canonical.dump(body)))
        return canonical.dump({"body": body, "signature": signature.hex()})


def authenticate(item: EvidenceItem, root: PublicKey | None, ledger: Ledger) -> Claims:
    """Verify simulated evidence under the laboratory's root of this run.

    Raises:
        EvidenceError: with the finding recorded in `ledger`.
    """
    fields = Fields(canonical.load(item.raw, limit=MAX_SIZE), reason=Reason.BAD_EVIDENCE)
    body, signature = fields.raw("body"), fields.hex("signature", 64)
    fields.end()
    inner = Fields(body, "body", reason=Reason.BAD_EVIDENCE)
    if inner.text("profile") != PROFILE:
        refuse(Finding.UNSUPPORTED_VERSION, "simulated evidence: expected its own profile")
    instance, measurement = inner.text("instance", 200), inner.text("measurement", 128)
    binder = inner.text("binder", 256, empty=True)
    inner.end()
    if len(binder) % 2 or binder.strip("0123456789abcdef"):
        refuse(Finding.MALFORMED, "simulated evidence: expected the binder in hexadecimal")
    if root is None:
        refuse(Finding.ROOT_NOT_PINNED, "simulated evidence: the policy names no simulated root")
    message = frame(Label.EVIDENCE_SIMULATED, canonical.dump(body))
    try:
        verify(root, message, signature)
    except PeerError:
        refuse(Finding.SIGNATURE_INVALID, "the simulated root of this run did not sign")
    ledger.note(Finding.SIGNATURE_INVALID, True, "the simulated root of this run signed")
    return Claims(
        kind=Kind.SIMULATED,
        vendor=Vendor.SIMULATED,
        product="simulated",
        instance=instance,
        measurements=MappingProxyType({"measurement": measurement}),
        bound=bytes.fromhex(binder),
        signed_body=body_digest(message),
        debug=False,
        migratable=False,
        revocation_known=True,
        facts=None,
        shown={"profile": PROFILE},
    )
