"""Room: evidence. The packaged list of published breaks, kept as data; policies copy what they agree on.

A policy carries its advisories inside, so that the digest in the terms covers them: this list is only
where a new policy starts from.
"""

import json
from importlib import resources

from parley_attestation.canonical import Fields
from parley_attestation.evidence.policy import Advisory, read_advisory


def packaged() -> tuple[Advisory, ...]:
    """The advisories known when this release was made."""
    raw = json.loads(resources.files(__package__).joinpath("advisories.json").read_text("utf-8"))
    return Fields({"advisories": raw}).items("advisories", read_advisory, 256)
