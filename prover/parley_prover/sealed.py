"""Room: the prover. Its part in sealed sessions: the weights that it seals for a chamber, under its rules."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from parley_attestation.edge import packages
from parley_attestation.edge.chamber_config import ChamberAccess, open_access
from parley_attestation.edge.journal import Journal
from parley_attestation.edge.party import Party
from parley_attestation.edge.sealed import Custody
from parley_attestation.edge.weights.source import LocalFiles
from parley_attestation.errors import LocalError, PeerError, Reason, Role
from parley_attestation.model.claim import ClaimSecret, read_claim, read_secret, verify_secret

from parley_prover.config import ProverConfig


@dataclass(frozen=True, slots=True)
class SealedModel:
    """The one model that a prover offers to sealed exercises.

    Attributes:
        access: The way to the chamber, and the rules about it.
        claim: Its registered claim, sealed.
        secret: What opens the claim.
        location: Its folder, or its one file.
        program: Folder of the program that runs it; None where a built-in runtime does.
    """

    access: ChamberAccess
    claim: bytes
    secret: ClaimSecret = field(repr=False)
    location: Path
    program: Path | None = None

    @contextmanager
    def custody(self, journal: Journal) -> Iterator[Custody]:
        """The prover's part in the sealed sessions of `journal`."""
        files, program = self.files(), self._program()
        with self.access.links(journal) as links:
            yield Custody(
                Role.PROVER,
                links,
                lambda _: packages.write_weights(self.secret, files, program),
                packages.weights_size(self.secret, files, program),
                self.access.rules,
            )

    def _program(self) -> list[tuple[str, Path]]:
        if self.program is None:
            return []
        return [(info.path, self.program / info.path) for info in LocalFiles(self.program).scan()]

    def files(self) -> list[tuple[str, Path]]:
        """The files of the model, each with its path in the claim."""
        folder = self.location if self.location.is_dir() else self.location.parent
        return [(path, folder / path) for path, _ in self.secret.manifest.files()]


def open_model(config: ProverConfig, party: Party, claims: Sequence[bytes]) -> SealedModel | None:
    """The model of the configured chambers, whose claim among `claims` its secret opens; None without one.

    Raises:
        LocalError: CONFIG, where the secret opens none of them, or a file is missing.
    """
    if (chosen := config.sealed) is None:
        return None
    try:
        opening = read_secret(chosen.secret.read_bytes())
    except (OSError, PeerError) as error:
        raise LocalError(Reason.CONFIG, f"{chosen.secret}: not the secret of a model claim") from error
    claim = next((one for one in claims if _opens(opening, one)), None)
    if claim is None:
        raise LocalError(Reason.CONFIG, f"{chosen.secret}: opens none of the model claims that are offered")
    access = open_access(chosen, party, other_party=config.verifier_chamber)
    found = SealedModel(access, claim, opening, chosen.model, chosen.program)
    missing = [path for path, place in found.files() if not place.is_file()]
    if missing:
        raise LocalError(Reason.CONFIG, f"{chosen.model}: {missing[0]} of the model claim is not there")
    return found


def _opens(secret: ClaimSecret, claim: bytes) -> bool:
    with suppress(PeerError):
        verify_secret(read_claim(claim), secret)
        return True
    return False
