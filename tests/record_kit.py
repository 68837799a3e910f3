"""Records taken apart and put together again."""

import io

from parley_attestation.encoding import u64
from parley_attestation.session import messages
from parley_attestation.session.turns import blob_digest
from parley_attestation.transcript import Entry, Kind, RecordReader, RecordWriter, decode_envelope


def entries(raw):
    return list(RecordReader(io.BytesIO(raw)).entries())


def written(found, *, end=True):
    """A record with these entries, its running digests made anew: what a forger would write."""
    out = io.BytesIO()
    writer = RecordWriter(out)
    for one in found:
        writer.copy(one)
    if end:
        writer.end()
    return out.getvalue()


def first(found, kind):
    """The places of the first message of a kind and of its first content."""
    for n, one in enumerate(found):
        if one.kind is Kind.ENVELOPE:
            said = messages.KINDS[decode_envelope(one.body).payload_type]
            if said == kind:
                return n, n + 1
    raise AssertionError(kind)


def hidden(found, place):
    """The entries with one blob withheld."""
    blob = found[place].body
    assert found[place].kind is Kind.BLOB
    one = Entry(0, Kind.WITHHELD, blob_digest(blob) + u64(len(blob)), 0)
    return [*found[:place], one, *found[place + 1 :]]
