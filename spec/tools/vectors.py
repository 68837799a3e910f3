"""Writes the test vectors: `python spec/tools/vectors.py`. The same bytes come out every time.

Every secret follows from a seed, so that another implementation can be given the same ones.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [
    str(ROOT / part)
    for part in ("spec/tools", "tests", "tests/session", "tests/attestation", "tests/attestation/evidence")
]

from kinds import (  # noqa: E402 - the path is set above
    audits,
    basics,
    chambers,
    computes,
    endings,
    graders,
    items,
    models,
    records,
    scores,
    sealed,
    settings,
    statements,
)
from kinds.basics import Test  # noqa: E402

VECTORS = ROOT / "spec/vectors"
CHEATS, SEALED_CHEATS = records.CHEATS, sealed.CHEATS
KINDS: dict[str, Callable[[], Iterator[Test]]] = {
    "framing": basics.framing,
    "ed25519": basics.ed25519,
    "commitments": basics.commitments,
    "tree": basics.tree,
    "tickets": basics.tickets,
    "frame_test": basics.frame_test,
    "json": statements.canonical_json,
    "statements": statements.sealed_statements,
    "key_histories": statements.key_histories,
    "graders": graders.graders,
    "model_claim": models.model_claim,
    "model_files": models.model_files,
    "binder": chambers.binder,
    "sealing": chambers.sealing,
    "compute_records": computes.compute_records,
    "transcripts": records.transcripts,
    "transcripts_witnessed": settings.witnessed,
    "transcripts_chamber": settings.bound,
    "transcripts_backed": settings.backed,
    "transcripts_prior": settings.prior,
    "transcripts_items": items.kinds_of_items,
    "graded_test": scores.graded_test,
    "transcripts_graded": scores.graded,
    "transcripts_audits": audits.audits,
    "transcripts_dissents": endings.dissents,
    "transcripts_attempts": endings.attempts,
    "transcripts_sealed": sealed.sealed,
}


def render(kind: str) -> str:
    """The file of one kind of vectors."""
    tests = [{"id": n, **test} for n, test in enumerate(KINDS[kind](), 1)]
    return json.dumps({"kind": kind, "version": 1, "tests": tests}, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files, or the kinds named on the command line."""
    VECTORS.mkdir(exist_ok=True)
    for kind in sys.argv[1:] or KINDS:
        (VECTORS / f"{kind}.json").write_text(render(kind))
        sys.stdout.write(f"{kind}.json\n")


if __name__ == "__main__":
    main()
