"""Room: evidence. How evidence is collected: one collector per format, binder in, raw evidence out.

Collectors on real hosts come later; the interface is fixed here. GPU collectors go first, over `gpu32`;
the others then take `bind64`, which commits to what the GPUs said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from parley_attestation.errors import LocalError, Reason
from parley_attestation.evidence.binder import Exercise, binders, gpu_nonce
from parley_attestation.evidence.model import EvidenceItem, Kind
from parley_attestation.evidence.simulated import SimulatedEnclave


class Collector(Protocol):
    """Collects evidence of one kind on the machine it runs on."""

    @property
    def kind(self) -> Kind:
        """The kind of evidence it returns."""
        ...

    def collect(self, binder: bytes) -> EvidenceItem:
        """Raw evidence whose hardware-signed field carries `binder` (64 bytes, or 32 for a GPU)."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayCollector:
    """Answers with one capture, for tests: only the binder that the capture was made over is answered."""

    item: EvidenceItem
    binder: bytes

    @property
    def kind(self) -> Kind:
        """The capture's kind."""
        return Kind(self.item.kind)

    def collect(self, binder: bytes) -> EvidenceItem:
        """The capture. Raises `LocalError` (UNSUPPORTED) for any other binder."""
        if binder != self.binder:
            raise LocalError(Reason.UNSUPPORTED, "a capture answers only the binder that it was made over")
        return self.item


@dataclass(frozen=True, slots=True)
class SimulatedCollector:
    """Collects from a simulated enclave, for the laboratory."""

    enclave: SimulatedEnclave

    @property
    def kind(self) -> Kind:
        """Always simulated."""
        return Kind.SIMULATED

    def collect(self, binder: bytes) -> EvidenceItem:
        """Simulated evidence over `binder`."""
        return EvidenceItem(Kind.SIMULATED, self.enclave.collect(binder))


def collect(collectors: Sequence[Collector], exercise: Exercise) -> dict[str, EvidenceItem]:
    """Collect from every collector in the order that the binder needs: GPUs first.

    Returns:
        Evidence by name (gpu0, gpu1, ..., cpu0, ...), GPUs in the order in which they were asked.
    """
    nonce = gpu_nonce(exercise)
    gpus = [one.collect(nonce) for one in collectors if one.kind is Kind.NVIDIA]
    bind64 = binders(exercise, [item.raw for item in gpus]).bind64
    rest = [one.collect(bind64) for one in collectors if one.kind is not Kind.NVIDIA]
    return {f"gpu{n}": item for n, item in enumerate(gpus)} | {f"cpu{n}": item for n, item in enumerate(rest)}
