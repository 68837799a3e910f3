"""Room: the command line. Keeps the demo's parties apart: each under a user or namespace of its own.

A party's processes see the system read-only, their own folder, and the table on which public files lie.
Run by root, every party is another user as well; by anybody else, it has a user namespace of its own.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from parley_attestation.errors import LocalError, Reason

FIRST_USER = 60_001  # of the demo's parties, where root runs it; no account needs to exist
_PACKAGES = (
    "parley",
    "parley_attestation",
    "parley_prover",
    "parley_verifier",
    "parley_chamber",
    "parley_cli",
)
_KINDS = {
    "users": "each process runs under a user of its own (uid {first} to {last}) and sees",
    "namespaces": "each process runs in a user namespace of its own (bubblewrap) and sees",
    "none": "bubblewrap is not to be had here: the processes run under ONE user, who could see",
}


@dataclass(frozen=True)
class Stage:
    """Where the demo's parties stand: `folder` holds a folder for each, and the table.

    Attributes:
        folder: The demo's folder.
        parties: Names of their folders in it.
        kind: How they are kept apart: users, namespaces or none.
    """

    folder: Path
    parties: tuple[str, ...]
    kind: str

    @classmethod
    def build(cls, folder: Path, parties: tuple[str, ...]) -> "Stage":
        """Make the folders, and find how this machine can keep the parties apart."""
        for name in (*parties, "table"):
            (folder / name).mkdir(mode=0o755 if name == "table" else 0o700)
        folder.chmod(0o755)
        kind = "none" if shutil.which("bwrap") is None else "users" if os.geteuid() == 0 else "namespaces"
        if kind != "none" and not _works(cls(folder, parties, kind)):
            kind = "none"
        return cls(folder, parties, kind)

    def describe(self) -> str:
        """How the parties are kept apart, for people."""
        how = _KINDS[self.kind].format(first=FIRST_USER, last=FIRST_USER + len(self.parties) - 1)
        return (
            f"{how} {'everything' if self.kind == 'none' else 'its own folder and the table of public files'}"
        )

    def settle(self) -> None:
        """Give every party its own files, after something was put into its folder."""
        if self.kind != "users":
            return
        for name in self.parties:
            for path in (self.folder / name, *(self.folder / name).rglob("*")):
                os.chown(path, self._user(name), self._user(name))
        for path in (self.folder / "table").rglob("*"):
            path.chmod(0o644)

    def run(self, party: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a parley command of a party to its end."""
        return subprocess.run(
            [*self._apart(party), *_parley(), *arguments],
            cwd=self.folder / party,
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def server(self, party: str, *arguments: str) -> Iterator[str]:
        """A parley server of a party; gives the line that it prints when it listens, and ends it cleanly."""
        read, write = os.pipe()
        tell = ("--info-fd", str(write)) if self.kind != "none" else ()
        with (
            os.fdopen(read) as info,
            subprocess.Popen(
                [*self._apart(party, *tell), *_parley(), *arguments],
                cwd=self.folder / party,
                stdout=subprocess.PIPE,
                stderr=(self.folder / party / "log").open("a"),
                text=True,
                pass_fds=(write,),
            ) as process,
        ):
            os.close(write)
            child = json.load(info)["child-pid"] if self.kind != "none" else process.pid
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            try:
                if not line:
                    said = (self.folder / party / "log").read_text()[-500:]
                    raise LocalError(
                        Reason.INTERNAL, f"parley {' '.join(arguments[:2])} did not start: {said}"
                    )
                yield line
            finally:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
                process.wait()

    def _user(self, party: str) -> int:
        return FIRST_USER + self.parties.index(party)

    def _apart(self, party: str, *more: str) -> tuple[str, ...]:
        """What stands before a party's command."""
        if self.kind == "none":
            return ()
        user, own = str(self._user(party)), str(self.folder / party)
        view = [
            *("bwrap", "--die-with-parent", *more, "--ro-bind", "/", "/", *_opened()),
            *("--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"),  # noqa: S108 - the party's own
            *("--bind", "/proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108 - as above
            *("--perms", "0755", "--tmpfs", str(self.folder), "--bind", own, own),
            *("--ro-bind", str(self.folder / "table"), str(self.folder / "table"), "--chdir", own),
            *("--setenv", "HOME", own, "--setenv", "PYTHONDONTWRITEBYTECODE", "1"),
        ]
        if self.kind == "namespaces":
            return (*view, "--unshare-user", "--uid", user, "--gid", user, "--")
        change = ("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all")
        return (*view, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", *change)


def _parley() -> tuple[str, ...]:
    return (sys.executable, "-m", "parley_cli")


def _works(stage: Stage) -> bool:
    """Whether a party can be put apart here and still start this program."""
    stage.settle()
    return stage.run(stage.parties[0], "--version").returncode == 0


def _opened() -> list[str]:
    """Options that show the interpreter and this project where a closed folder, such as /root, hides them."""
    specs = [find_spec(name) for name in _PACKAGES]
    own = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]
    needed = list(dict.fromkeys([Path(sys.prefix), Path(os.path.realpath(sys.base_prefix)), *own]))
    shown = {path: above for path in needed if (above := _closed(path)) is not None}
    options: list[str] = []
    for hidden in sorted({str(one) for one in shown.values()}):
        options += ["--perms", "0755", "--tmpfs", hidden]
    for path, above in shown.items():
        between = [one for one in reversed(path.parents) if one.is_relative_to(above) and one != above]
        for one in between:
            options += ["--perms", "0755", "--dir", str(one)]
        options += ["--ro-bind", str(path), str(path)]
    return options


def _closed(path: Path) -> Path | None:
    """The outermost folder above `path` that others cannot enter."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)
