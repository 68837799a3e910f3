"""Writes docs/cli.md and docs/configuration.md from the code; a test compares them. `make docs` runs it."""

import sys
from pathlib import Path
from typing import get_args

import click
from parley_attestation.edge.chamber_config import ChamberConfig, SealedConfig
from parley_cli.main import parley
from parley_prover.config import DisclosureConfig, ProverConfig, SealedModelConfig
from parley_prover.engines import config as engines
from parley_verifier.config import VerifierConfig
from parley_verifier.terms_file import (
    CapsFile,
    ChamberFile,
    ClaimFile,
    OperatorFile,
    PlanFile,
    SealedFile,
    TermsFile,
)
from pydantic import BaseModel

HERE = Path(__file__).parent


def cli() -> str:
    """The help of every command."""
    parts = ["# The command line\n\nGenerated from `parley --help` and its subcommands.\n"]
    context = click.Context(parley, info_name="parley")
    for words, command in _commands(context, parley, ("parley",)):
        command._help_option = None  # noqa: SLF001 - click keeps the first it made, whoever asked for it
        inner = click.Context(
            command,
            info_name=" ".join(words),
            max_content_width=100,
            terminal_width=100,
            help_option_names=["-h", "--help"],  # as at run time
        )
        parts.append(f"\n## `{' '.join(words)}`\n\n```text\n{command.get_help(inner).rstrip()}\n```\n")
    return "".join(parts)


def _commands(context: click.Context, command: click.Command, words: tuple[str, ...]):
    yield words, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(context, inner, (*words, name))


def configuration() -> str:
    """Every field of every file that a person writes."""
    parts = ["# Configuration files\n\nTOML. Unknown fields are refused; paths are relative to the file.\n"]
    backends = {
        k: v for k, v in vars(engines).items() if isinstance(v, type) and k.endswith("Config") and k[0] != "_"
    }
    sections = [
        ("`prover.toml`: `[prover]`", ProverConfig),
        ("`[prover.disclosure]`", DisclosureConfig),
        ("`[prover.sealed]`", SealedModelConfig),
        ("`[[prover.sealed.chambers]]`, `[[verifier.sealed.chambers]]`", ChamberConfig),
        *(
            (f"`[prover.engine]`, kind `{get_args(m.model_fields['kind'].annotation)[0]}`", m)
            for m in backends.values()
        ),
        ("`verifier.toml`: `[verifier]`", VerifierConfig),
        ("`[verifier.sealed]`", SealedConfig),
        ("`terms.toml`", TermsFile),
        ("`[chamber]` of the terms", ChamberFile),
        ("`[[chamber.operators]]` of the terms", OperatorFile),
        ("`[chamber.sealed]` of the terms", SealedFile),
        ("`[plan]` of the terms", PlanFile),
        ("`[caps]` of the terms", CapsFile),
        ("`[[claims]]` of the terms", ClaimFile),
    ]
    for title, model in sections:
        parts.append(f"\n## {title}\n\n{(model.__doc__ or '').strip()}\n\n{_table(model)}")
    return "".join(parts)


def _table(model: type[BaseModel]) -> str:
    rows = ["| field | default | meaning |\n|---|---|---|\n"]
    for name, field in model.model_fields.items():
        if field.is_required():
            default = "required"
        else:
            value = field.get_default(call_default_factory=True)
            default = "" if isinstance(value, BaseModel) else f"`{value}`"
        rows.append(f"| `{name}` | {default} | {field.description or ''} |\n")
    return "".join(rows)


def main() -> None:
    """Write both files."""
    (HERE / "cli.md").write_text(cli())
    (HERE / "configuration.md").write_text(configuration())


if __name__ == "__main__":
    sys.exit(main())
