"""Judges that look away, each in one way: name -> (requirement it breaks, how it is made)."""

import weakening
from parley_attestation import ed25519, judge, transcript
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import exercise, machine
from parley_cli import record
from weakening import always_equal, nothing, without

MUTANTS = {}


def mutant(requirement):
    def register(make):
        MUTANTS[make.__name__] = (requirement, make)
        return make

    return register


def looks_away(patch, owner, name, weak):
    weakening.weaken(patch, "judge", owner, name, weak)


def says(patch, change):
    """A judge that judges well and says something else."""

    def weak(original, found):
        answer = original(found)
        return answer | change(found, answer)

    looks_away(patch, record, "summary", weak)


@mutant("SIG-1")
def skips_the_signature(patch):
    looks_away(patch, ed25519, "verify", nothing)


@mutant("REC-1")
def ignores_the_running_digest(patch):
    looks_away(patch, transcript, "_chain", always_equal)


@mutant("CHAIN-1")
def ignores_the_predecessor(patch):
    looks_away(patch, machine.Machine, "_check_header", without(Reason.WRONG_PREVIOUS))


@mutant("CHAIN-1")
def ignores_the_session(patch):
    looks_away(patch, machine.Machine, "_check_header", without(Reason.WRONG_SESSION))


@mutant("CHAIN-2")
def blames_for_what_nobody_proves(patch):
    def weak(original, self, envelope):
        try:
            return original(self, envelope)
        except PeerError as error:
            raise error.blame(Role.PROVER) from None

    looks_away(patch, machine.Machine, "begin", weak)


@mutant("WIRE-4")
def ignores_the_stream_digest(patch):
    looks_away(patch, machine, "stream_digest", always_equal)


@mutant("ANS-1")
def accepts_any_output(patch):
    looks_away(patch, exercise, "verify_output", nothing)


@mutant("JUDGE-1")
def ignores_the_pins(patch):
    def weak(_original, judgement, _pins):
        judgement.pinned = True

    looks_away(patch, judge, "_pins", weak)


@mutant("JUDGE-2")
def calls_unknown_parties_pinned(patch):
    says(patch, lambda found, _: {"pinned": found.valid})


@mutant("JUDGE-3")
def lists_nothing_unseen(patch):
    says(patch, lambda *_: {"unseen": []})


@mutant("JUDGE-4")
def repeats_an_acknowledged_verdict(patch):
    def acknowledged(found, answer):
        digests = list(found.acknowledged.values())
        return {"verdict": digests[0].hex()} if digests and not answer["verdict"] else {}

    says(patch, acknowledged)


@mutant("VERD-1")
def always_says_compliant(patch):
    says(patch, lambda _, answer: {"overall": "COMPLIANT" if answer["overall"] else ""})
