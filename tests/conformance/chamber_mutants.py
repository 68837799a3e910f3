"""Chambers that look away, each in one way: name -> (requirement it breaks, how it is made)."""

from dataclasses import replace

import grpc
import weakening
from parley_attestation.errors import PeerError, Reason
from parley_chamber import evaluation, packages, run, service
from parley_chamber.ledger import RunLedger
from parley_chamber.service import ChamberService
from parley_chamber.sessions import ChamberSession
from weakening import without

MUTANTS = {}


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    weakening.weaken(patch, "chamber", owner, name, weak)


@mutant("CH-DESCRIBE")
def lists_no_runtime(patch):
    def weak(original, self, *args):
        said = original(self, *args)
        del said.runtimes[:]
        return said

    looks_away(patch, ChamberService, "Describe", weak)


@mutant("CH-RUN")
def counts_every_answer(patch):
    def weak(original, *args):
        return tuple(replace(one, successes=one.population) for one in original(*args))

    looks_away(patch, run.SealedRun, "_counts", weak)


@mutant("CH-ONCE")
def makes_new_keys_each_time(patch):
    def weak(original, self, request, card):
        self._held.clear()
        return original(self, request, card)

    looks_away(patch, ChamberService, "_open", weak)


@mutant("CH-ORDER")
def says_another_reason_before_the_releases(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            raise PeerError(Reason.WRONG_SESSION, "?") from error

    looks_away(patch, ChamberSession, "receipt", weak)


@mutant("CH-UPLOAD")
def takes_content_at_any_offset(patch):
    def weak(original, self, role, offset, data):
        del offset
        return original(self, role, self.received(role), data)

    looks_away(patch, ChamberSession, "append", weak)


@mutant("CH-UPLOAD")
def takes_parts_of_any_size(patch):
    patch.setattr(service, "MAX_CHUNK", 1 << 20)


@mutant("CH-SEAL")
def takes_content_for_another_session(patch):
    def weak(_original, self, role, offset, data):
        del offset
        with self._path(role).open("ab") as file:
            file.write(data)

    looks_away(patch, ChamberSession, "append", weak)


@mutant("CH-SEAL")
def runs_damaged_content(patch):
    def weak(original, *args):
        try:
            yield from original(*args)
        except PeerError as error:
            if error.reason is not Reason.BAD_SEAL:
                raise

    looks_away(patch, run, "unseal", weak)


@mutant("CH-COMMITTED")
def runs_weights_that_nobody_committed_to(patch):
    looks_away(patch, evaluation, "load", without(Reason.BAD_MODEL_CLAIM))


@mutant("CH-COMMITTED")
def keeps_the_reason_to_itself(patch):
    def weak(original, *args):
        try:
            return original(*args)
        except PeerError as error:
            if error.reason is Reason.BAD_OPENING:
                raise PeerError(Reason.BAD_SEAL, "?") from error
            raise

    looks_away(patch, packages, "read_tests", weak)


@mutant("CH-QUOTA")
def runs_again_and_again(patch):
    def weak(original, *args):
        original(*args)
        return 1

    looks_away(patch, RunLedger, "begin", weak)


@mutant("ERR-1")
def says_why_it_broke_down(patch):
    def weak(_original, context, error):
        context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__} in service.py: {error}")

    looks_away(patch, service.transport, "refuse", weak)
