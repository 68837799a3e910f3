"""Room: the report. Turns a view into the bytes of one page; the same view gives the same bytes.

The page loads nothing, runs nothing and sends nothing: a Content-Security-Policy says so, every value
is escaped, and characters that do not print (control, bidirectional, surrogate) are spelled out.
"""

from importlib import resources
from typing import Any

from parley_attestation.errors import LocalError, Reason, printable

from parley_verifier.report import plot
from parley_verifier.report.view import ReportView

MAX_TEXT = 4000  # characters of any one value
VERDICT_CLASS = {"COMPLIANT": "good", "VIOLATION": "bad"}


def render(view: ReportView) -> bytes:
    """The page as UTF-8 bytes.

    Args:
        view: What to show; strings may be hostile.

    Raises:
        LocalError: MISSING_EXTRA, where the `report` extra is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - an optional extra
        import markupsafe  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise LocalError(
            Reason.MISSING_EXTRA, "reports need jinja2", hint="pip install 'parley[report]'"
        ) from error
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    room = resources.files(__package__)
    template = environment.from_string((room / "report.html.j2").read_text("utf-8"))
    style = (room / "report.css").read_text("utf-8")
    page = template.render(
        view=view,
        style=markupsafe.Markup(style),  # noqa: S704 - our own file
        claims=[(claim, plot.path_plot(claim), plot.bound_plot(claim)) for claim in view.claims],
        plot=plot,
        tone=lambda verdict: VERDICT_CLASS.get(verdict, "open"),
    )
    return page.encode("utf-8")


def _shown(value: Any) -> Any:
    """Spell out what does not print in every string on the page; our own style sheet stays as it is."""
    return printable(value, MAX_TEXT) if type(value) is str else value
