"""Edwards25519 in integers, written from RFC 8032 section 5.1: points that add, subtract and take multiples."""

from typing import NamedTuple, Self

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, P - 2, P) % P


class Point(NamedTuple):
    """A point in extended coordinates."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: Self) -> Self:  # type: ignore[override]
        a, b = (self.y - self.x) * (other.y - other.x), (self.y + self.x) * (other.y + other.x)
        c, d = 2 * self.t * other.t * _D, 2 * self.z * other.z
        e, f, g, h = b - a, d - c, d + c, b + a
        return type(self)(e * f % P, g * h % P, f * g % P, e * h % P)

    def __sub__(self, other: Self) -> Self:
        return self + type(self)(-other.x % P, other.y, other.z, -other.t % P)

    def __rmul__(self, scalar: int) -> Self:  # type: ignore[override]
        found, point = type(self)(0, 1, 1, 0), self
        while scalar:
            found = found + point if scalar & 1 else found
            point, scalar = point + point, scalar >> 1
        return found

    def encode(self) -> bytes:
        """The canonical encoding."""
        inverse = pow(self.z, P - 2, P)
        x, y = self.x * inverse % P, self.y * inverse % P
        return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(raw: bytes) -> Point | None:
    """The point that 32 bytes encode, y modulo p; None where there is none."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number % 2**255 % P
    square = (y * y - 1) * pow(_D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    if x & 1 != sign:
        x = -x % P
    return Point(x, y, 1, x * y % P)


_base = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
assert _base is not None
BASE = _base
