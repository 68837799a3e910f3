"""A log writer in a process of its own that kills itself before its nth write; used by test_log_writer.

Usage: python log_child.py FOLDER SALT WRITES. It appends one batch of entries, salted so that two runs
append different ones, and records every checkpoint that could have been seen in FOLDER.seen.
"""

import os
import signal
import sys
from pathlib import Path

from log_kit import LOG_KEY, NAME, entry
from parley_attestation.edge.log_store import FolderStore
from parley_attestation.edge.log_writer import open_log


class Dying(FolderStore):
    def __init__(self, folder, writes):
        super().__init__(folder)
        self.writes = writes

    def write(self, path, data):
        if self.writes == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.writes -= 1
        super().write_all([(path, data)])

    def write_all(self, files):
        for path, data in files:
            self.write(path, data)


def main(folder, salt, writes):
    def cosign(checkpoint, signed):
        with Path(folder + ".seen").open("ab") as file:
            file.write(signed.dump().split(b"\n\n")[0] + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return ()

    with open_log(Dying(Path(folder), int(writes)), LOG_KEY, NAME, cosign) as log:
        log.append([entry(n, salt.encode()) for n in range(200)])


if __name__ == "__main__":
    main(*sys.argv[1:])
