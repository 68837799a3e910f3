"""Room: the chamber. The load box: are the files in /in/model the ones that the claim commits to?

Reads two frames, the sealed claim and its secret; writes one: nothing, or the code of the refusal.
"""

import sys
from pathlib import Path

from parley_attestation.edge.weights import verify_model
from parley_attestation.errors import ParleyError, Reason
from parley_attestation.model.claim import read_claim, read_secret
from parley_attestation.model.pickles import HEAD, refuse_pickle

from parley_chamber.boxes.frames import MODEL, pack, read


def main() -> None:
    """Verify the model."""
    try:
        claim, secret = read(sys.stdin.buffer)
        _refuse_pickles(Path(MODEL))
        verify_model(MODEL, read_claim(claim), read_secret(secret))
        said = b""
    except ParleyError as error:
        said = error.reason.encode()
    except ValueError:
        said = Reason.MALFORMED.encode()
    sys.stdout.buffer.write(pack(said))


def _refuse_pickles(folder: Path) -> None:
    for place in folder.rglob("*") if folder.is_dir() else [folder]:
        if place.is_file():
            with place.open("rb") as file:
                refuse_pickle(place.name, file.read(HEAD))


if __name__ == "__main__":
    main()
