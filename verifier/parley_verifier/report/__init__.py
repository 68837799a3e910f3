"""Room: the report. A record's findings as one self-contained page; the command line calls `render`."""

from parley_verifier.report.render import render
from parley_verifier.report.view import (
    AttemptRow,
    ClaimView,
    EventRow,
    ExposureRow,
    Fact,
    ReportView,
    SignerRow,
)

__all__ = [
    "AttemptRow",
    "ClaimView",
    "EventRow",
    "ExposureRow",
    "Fact",
    "ReportView",
    "SignerRow",
    "render",
]
