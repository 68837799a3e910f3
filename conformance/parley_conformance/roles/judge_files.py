"""Room: the suite. For a judge under test: files that are no whole record."""

from collections.abc import Callable

from parley_attestation.encoding import u64
from parley_attestation.transcript import Kind

from parley_conformance.deviations import flip
from parley_conformance.roles.judge import Judge
from parley_conformance.roles.records import boundaries, join, parts


def broken(change: Callable[[bytes], bytes]) -> Callable[[Judge], None]:
    """A file that was changed; the record itself is valid."""

    def run(target: Judge) -> None:
        record = target.record()
        target.broken(change(record))
        target.expect(record, valid=True)

    return run


def cut(target: Judge) -> None:
    """Cut off at the beginning of entries, and inside them."""
    record = target.record()
    ends = boundaries(record)
    for at in sorted({0, 5, ends[0], ends[3], ends[3] + 1, ends[-2], ends[-2] + 9, len(record) - 1}):
        target.broken(record[:at])


def flipped(count: int) -> Callable[[Judge], None]:
    """One bit changed anywhere in the file."""

    def run(target: Judge) -> None:
        record = target.record()
        for _ in range(count):
            at = int.from_bytes(target.arena.fresh()[:8], "big") % len(record)
            target.broken(flip(record, at))

    return run


def _with_part(kind: int, body: bytes) -> Callable[[bytes], bytes]:
    return lambda record: join([*parts(record), (kind, body)])


BROKEN: tuple[tuple[str, str, Callable[[bytes], bytes]], ...] = (
    ("no-end", "a record without its end", lambda r: join(parts(r), end=False)),
    ("wrong-count", "an end that counts an entry more", lambda r: join(parts(r), len(parts(r)) + 1)),
    ("after-the-end", "a byte after the end", lambda r: r + b"\0"),
    ("unknown-kind", "an entry of kind 9", _with_part(9, b"?")),
    ("kind-zero", "an entry of kind 0", _with_part(0, b"")),
    (
        "long-end",
        "an end of nine bytes",
        lambda r: join([*parts(r), (int(Kind.END), u64(0) + b"\0")], end=False),
    ),
    ("attempt-with-body", "an attempt marker with a body", _with_part(int(Kind.ATTEMPT), b"x")),
    ("large-withheld", "a withheld entry of 41 bytes", _with_part(int(Kind.WITHHELD), bytes(41))),
    ("other-version", "a first line of version 2", lambda r: r.replace(b"RECORD 1", b"RECORD 2", 1)),
    ("empty-file", "an empty file", lambda _: b""),
    ("size-beyond", "an entry that says 2^63 bytes", lambda r: r[:17] + b"\x80" + r[18:]),
)
