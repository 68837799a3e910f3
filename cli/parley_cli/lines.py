"""Room: the command line. Prints lines that hold other people's text: no text ends or overwrites one."""

import click
from parley_attestation.errors import printable

_LONGEST = 1 << 24  # characters of one line: a judge lists every withheld item


def say(line: str, *, err: bool = False) -> None:
    """Print one line with its control characters escaped.

    Args:
        line: One line; a line feed in it is somebody else's and is escaped too.
        err: On stderr.
    """
    click.echo(printable(line, _LONGEST), err=err)
