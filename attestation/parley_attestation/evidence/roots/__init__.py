"""Room: evidence. The vendors' roots and AMD's intermediates, pinned by SHA-256; this room only.

The certificates are package data. A file that is not the pinned one is our own fault, never a peer's.
"""

import functools
import hashlib
from enum import StrEnum
from importlib import resources

from parley_attestation.errors import LocalError, Reason
from parley_attestation.evidence import pem
from parley_attestation.evidence.x509 import Certificate, parse_certificate


class Vendor(StrEnum):
    """Whose root stands behind evidence; the unit of root plurality."""

    AMD = "amd"
    INTEL = "intel"
    AWS = "aws"
    NVIDIA = "nvidia"
    REGISTERED = "registered-key"  # a TPM key that the policy's machine registry names
    SIMULATED = "simulated"


# SHA-256 of the DER encodings. Sources: AMD KDS, Intel PCS, AWS Nitro documentation, NVIDIA nvtrust.
PINS = {
    "amd_milan_ark": "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
    "amd_milan_ask": "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
    "amd_milan_asvk": "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
    "amd_genoa_ark": "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
    "amd_genoa_ask": "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
    "amd_genoa_asvk": "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
    "amd_turin_ark": "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
    "amd_turin_ask": "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
    "amd_turin_asvk": "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
    "aws_nitro_root_g1": "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
    "intel_sgx_root_ca": "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
    "nvidia_device_identity_ca": "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48",
}
AMD_PRODUCTS = ("milan", "genoa", "turin")


@functools.cache
def pinned(name: str) -> Certificate:
    """The pinned certificate of that name. Raises `LocalError` (CORRUPT) where the file was changed."""
    raw = pem.chain(resources.files(__package__).joinpath(f"{name}.pem").read_bytes(), 1)[0]
    if hashlib.sha256(raw).hexdigest() != PINS[name]:
        raise LocalError(
            Reason.CORRUPT, f"expected the pinned certificate {name}", hint="reinstall the package"
        )
    return parse_certificate(raw)
