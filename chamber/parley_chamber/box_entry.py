"""Room: the chamber. The first program in a box: sets its limits for good, then becomes what is to run.

Run as a script, by path; imports nothing of this project. It says that it is there and waits for a byte:
where the chamber has died before the box was tied to its life, none comes, and nothing starts.
"""

import os
import resource
import sys

_SLACK = 5  # seconds; the chamber stops a box in time, this is for a chamber that has died


def main(memory: str, seconds: str, file_size: str, processes: str, *program: str) -> None:
    """Lower every limit, soft and hard alike, and execute `program`."""
    for what, value in (
        (resource.RLIMIT_AS, int(memory)),
        (resource.RLIMIT_CPU, int(seconds) * (os.cpu_count() or 1) + _SLACK),
        (resource.RLIMIT_FSIZE, int(file_size)),
        (resource.RLIMIT_NPROC, int(processes)),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 1),  # a kernel that pipes cores to a program ignores 0 and heeds 1
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (value, value))
    os.write(1, b"\0")
    if not os.read(0, 1):
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - there is no shell, and that is meant


if __name__ == "__main__":
    main(*sys.argv[1:])
