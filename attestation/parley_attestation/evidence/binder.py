"""Room: evidence. The binder: what ties hardware evidence to one exercise (research section 8.3).

GPU evidence is collected first, over `gpu32`; `bind64` then commits to it and goes into the CPU's signed
field. Both parties' nonces, the transcript and the answering key are inside, so neither side alone
chooses the value and no two sessions share one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from parley_attestation.encoding import Bytes32, Digest, Label, Nonce, digest, frame, u64
from parley_attestation.errors import PeerError, Reason


class Binder64(bytes):
    """Exactly 64 bytes: SNP and TDX report data, Nitro nonce, TPM extraData."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Check the length. Raises `PeerError` (MALFORMED)."""
        if len(value) != 64:
            raise PeerError(Reason.MALFORMED, f"expected 64 bytes for {cls.__name__}, got {len(value)}")
        return super().__new__(cls, value)


class GpuNonce(Bytes32):
    """Exactly 32 bytes: the SPDM nonce of a GPU report."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Exercise:
    """What a binder binds to.

    Attributes:
        transcript: Digest over messages 1 to 3 of the session.
        prover_nonce: The prover's nonce.
        verifier_nonce: The verifier's nonce.
        answering_key: The key that signs every Answers or Receipt.
        hpke_key: The enclave's HPKE key, or nothing where nothing is sealed to it.
    """

    transcript: Digest
    prover_nonce: Nonce
    verifier_nonce: Nonce
    answering_key: Bytes32
    hpke_key: bytes = b""


@dataclass(frozen=True, slots=True)
class Binders:
    """Both binders of one collection of evidence."""

    gpu32: GpuNonce
    bind64: Binder64


def gpu_nonce(exercise: Exercise) -> GpuNonce:
    """The nonce for GPU reports, which are collected before anything else."""
    return GpuNonce(
        digest(
            Label.BINDER_GPU,
            exercise.transcript,
            exercise.prover_nonce,
            exercise.verifier_nonce,
            exercise.answering_key,
        )
    )


def binders(exercise: Exercise, gpu_evidence: Sequence[bytes] = ()) -> Binders:
    """Both binders; `bind64` is SHA-512 over the frame and commits to the GPU reports in their order."""
    committed = hashlib.sha384(u64(len(gpu_evidence)) + b"".join(u64(len(g)) + g for g in gpu_evidence))
    framed = frame(
        Label.BINDER,
        exercise.transcript,
        exercise.prover_nonce,
        exercise.verifier_nonce,
        exercise.hpke_key,
        exercise.answering_key,
        committed.digest(),
    )
    return Binders(gpu_nonce(exercise), Binder64(hashlib.sha512(framed).digest()))
