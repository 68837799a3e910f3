"""Room: the command line. The one `parley` command: thin, every subcommand imported when it is asked for."""

import sys
from importlib import import_module

import click

# name -> (module, attribute, one line for --help)
_COMMANDS = {
    "keygen": ("parley_cli.party", "keygen", "Make a party: keys, TLS certificate and peer card."),
    "testset": ("parley_cli.testset", "testset", "Register and inspect hidden test sets."),
    "model": ("parley_cli.model", "model", "Register, verify and open model claims."),
    "terms": ("parley_cli.terms", "terms", "Write, show and compare the terms of an exercise."),
    "prover": ("parley_cli.prover", "prover", "Serve a model to verifiers."),
    "verifier": ("parley_cli.verifier", "verifier", "Run an exercise against a prover."),
    "chamber": ("parley_cli.chamber", "chamber", "Run or re-execute an exercise where both secrets may be."),
    "witness": ("parley_cli.witness", "witness", "Give exercises and registrations a time."),
    "log": ("parley_cli.log", "log", "Keep, prove and follow a public log."),
    "evidence": ("parley_cli.evidence", "evidence", "Appraise, explain and archive compute evidence."),
    "check": ("parley_cli.record", "check", "Judge a record offline."),
    "show": ("parley_cli.record", "show", "Print what a record says."),
    "redact": ("parley_cli.record", "redact", "Copy a record without content."),
    "report": ("parley_cli.report", "report", "Write a page about a record."),
    "compare": ("parley_cli.report", "compare", "Compare two records of one test set."),
    "conformance": (
        "parley_cli.conformance",
        "conformance",
        "Hold an implementation to the specification.",
    ),
    "doctor": ("parley_cli.doctor", "doctor", "Say why a peer cannot be reached or a pin does not match."),
    "demo": ("parley_cli.demo", "demo", "Run short exercises on real data, open or sealed."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they run; `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="parley")
def parley() -> None:
    """Two parties who do not trust each other confirm an AI evaluation."""


def main() -> None:
    """Run the command; what we raise on purpose becomes an error line, a hint line and an exit code."""
    from parley_attestation.errors import ParleyError, PeerError  # noqa: PLC0415 - keeps --help fast

    try:
        code = parley.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ParleyError as error:
        click.echo(f"error: {error.message} [{error.reason}]", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(4 if isinstance(error, PeerError) else 5)
    sys.exit(code if isinstance(code, int) else 0)
