"""Logs in memory for the tests of the log room."""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.log_writer import init_log, open_log
from parley_attestation.encoding import Digest
from parley_attestation.log.note import Ed25519Key

VECTORS = Path(__file__).parent.parent / "data" / "vectors"
LOG_KEY = SigningKey(b"L" * 32)
NAME = "log.example/parley"
PUBLIC = Ed25519Key(NAME, LOG_KEY.public)


def vectors(name):
    return json.loads((VECTORS / name).read_text())


def entry(number, salt=b""):
    return Digest(hashlib.sha256(b"%d" % number + salt).digest())


class MemoryStore:
    def __init__(self, files=()):
        self.files = dict(files)

    def read(self, path):
        return self.files.get(path)

    def write(self, path, data):
        self.files[path] = data

    def write_all(self, files):
        for path, data in files:
            self.write(path, data)

    def drop(self, path):
        for one in [p for p in self.files if p.startswith(path + "/")]:
            del self.files[one]

    @contextmanager
    def lock(self):
        yield

    def copy(self):
        return MemoryStore(self.files)


def grow(store, entries, batch=256):
    """Append to a log, made where there is none; returns the published checkpoint's bytes."""
    if store.read("checkpoint") is None:
        init_log(store, LOG_KEY, NAME)
    entries = list(entries)
    with open_log(store, LOG_KEY, NAME) as log:
        for at in range(0, len(entries), batch):
            log.append(entries[at : at + batch])
    return store.read("checkpoint")


def log_of(size, batch=256):
    store = MemoryStore()
    return store, grow(store, (entry(n) for n in range(size)), batch)
