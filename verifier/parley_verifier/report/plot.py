"""Room: the report. Coordinates of the two drawings of a claim, in whole units of an SVG view box.

The sequential path is drawn as successes minus what the threshold rate would give, so that both
boundaries stay apart at any scale.
"""

from dataclasses import dataclass

from parley_verifier.report.view import ClaimView

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 34  # margins for axes and labels
MAX_POINTS = 600  # of one line; more cannot be seen
BAR_WIDTH = 600

Line = list[tuple[int, int]]  # (n, successes)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: int
    label: str


@dataclass(frozen=True, slots=True)
class PathPlot:
    """The sequential path with its boundaries; lines are `points` of SVG polylines."""

    path: str
    compliant: str
    violation: str
    zero: int
    end: tuple[int, int]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def path_plot(claim: ClaimView) -> PathPlot | None:
    """The drawing of a claim's path; None where no unit was counted."""
    if not claim.units or not claim.frame:
        return None
    span = len(claim.units)
    successes, path = 0, [(0, 0)]
    for n, unit in enumerate(claim.units, 1):
        successes += unit == "1"
        path.append((n, successes))
    compliant = [(n, s) for n, s in enumerate(claim.compliant_boundary[: span + 1]) if n and s <= n]
    violation = [(n, s) for n, s in enumerate(claim.violation_boundary[: span + 1]) if s >= 0]
    lift = [_lift(claim, point) for point in (*path, *compliant, *violation)]
    scale = _Scale(span, min(*lift, 0), max(*lift, 1))
    end = scale.place(path[-1][0], _lift(claim, path[-1]))
    return PathPlot(
        path=_points(claim, scale, path),
        compliant=_points(claim, scale, compliant),
        violation=_points(claim, scale, violation),
        zero=scale.place(0, 0)[1],
        end=end,
        across=tuple(Tick(scale.place(n, 0)[0], f"{n:,}") for n in _ticks(0, span)),
        up=tuple(
            Tick(scale.place(0, y * claim.frame)[1], f"{y:+d}" if y else "0")
            for y in _ticks(-(-scale.low // claim.frame), scale.high // claim.frame)
        ),
    )


def _lift(claim: ClaimView, point: tuple[int, int]) -> int:
    """Successes above the threshold rate, times the frame."""
    n, successes = point
    return successes * claim.frame - n * claim.threshold


@dataclass(frozen=True, slots=True)
class _Scale:
    span: int
    low: int
    high: int

    def place(self, n: int, lift: int) -> tuple[int, int]:
        """The view-box position of a point."""
        across = LEFT + n * (WIDTH - LEFT - RIGHT) // self.span
        up = (lift - self.low) * (HEIGHT - TOP - BOTTOM) // max(self.high - self.low, 1)
        return across, HEIGHT - BOTTOM - up


def _points(claim: ClaimView, scale: _Scale, line: Line) -> str:
    step = max(1, len(line) // MAX_POINTS)
    kept = line[::step]
    if line and kept[-1] != line[-1]:
        kept.append(line[-1])
    return " ".join("{},{}".format(*scale.place(n, _lift(claim, (n, s)))) for n, s in kept)


def _ticks(low: int, high: int) -> list[int]:
    """At most six round numbers in low..high."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if (high - low) // step < 6:
                return list(range(-(-low // step) * step, high + 1, step))
        size *= 10


@dataclass(frozen=True, slots=True)
class BoundPlot:
    """The count bounds on the population, as positions on a bar of BAR_WIDTH."""

    low: int
    high: int
    threshold: int


def bound_plot(claim: ClaimView) -> BoundPlot | None:
    """The drawing of a claim's count bounds; None without a population."""
    if not claim.frame:
        return None
    return BoundPlot(
        min(claim.count_low * BAR_WIDTH // claim.frame, BAR_WIDTH - 2),  # a mark of 2 is seen at the end too
        claim.count_high * BAR_WIDTH // claim.frame,
        claim.threshold * BAR_WIDTH // claim.frame,
    )
