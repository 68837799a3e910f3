"""Room: grading. The few text operations that graders share: bytes in, ASCII rules only.

White space is space, TAB, LF, VT, FF and CR. Case folding maps A-Z to a-z and nothing else. There is no
Unicode normalisation. A word byte is an ASCII letter or digit, "_", or any byte from 0x80 on.
"""

import re

from parley_attestation.errors import PeerError, Reason

MAX_OUTPUT = 256 << 10  # bytes of an output that a grader reads; a longer one is invalid
MAX_REFERENCE = 64 << 10  # bytes of a reference
WHITE_SPACE = b" \t\n\v\f\r"
WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")


def trim(text: bytes) -> bytes:
    """Remove white space at both ends."""
    return text.strip(WHITE_SPACE)


def fold(text: bytes) -> bytes:
    """Map ASCII capitals to small letters."""
    return text.lower()  # bytes.lower() touches A-Z only


def after_marker(text: bytes, marker: str | None) -> bytes | None:
    """What follows the last `marker` in `text`, found without regard to ASCII case.

    Returns the whole text without a marker to look for, and None where the marker does not occur.
    """
    if marker is None:
        return text
    found = fold(text).rfind(fold(marker.encode()))
    return None if found < 0 else text[found + len(marker.encode()) :]


def bad_reference(expected: str) -> PeerError:
    """The refusal of a reference that a grader cannot use; the caller raises it."""
    return PeerError(Reason.BAD_REGISTRATION, f"reference: expected {expected}")
