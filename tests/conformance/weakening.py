"""Takes guards out of the shared code for the implementation's threads alone; the suite stays honest."""

import functools
import threading
import time
from dataclasses import replace

from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.session import messages as m


def weaken(patch, threads, owner, name, weak):
    """Replace a function in threads whose name begins with `threads`; `weak` also gets the original."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def choose(*args, **kwargs):
        if threading.current_thread().name.startswith(threads):
            return weak(original, *args, **kwargs)
        return original(*args, **kwargs)

    patch.setattr(owner, name, choose)


def nothing(*_args, **_kwargs):
    return None


def without(*reasons, value=None):
    """Run the guard and look away from what it says."""

    def weak(original, *args, **kwargs):
        try:
            return original(*args, **kwargs)
        except PeerError as error:
            if error.reason not in reasons:
                raise
            return value(*args) if callable(value) else value

    return weak


class Equal(bytes):
    """A digest that equals every other."""

    __hash__ = bytes.__hash__

    def __eq__(self, _other):
        return True

    def __ne__(self, _other):
        return False


def always_equal(original, *args):
    return Equal(original(*args))


# -- guards of the shared code that several roles are tried without


def one_nonce_of_both(original, at, sender, key, body):
    """Greet: a reply may show the nonce of the Hello."""
    if isinstance(body, m.HelloReply) and body.nonce == at.facts.nonces[Role.VERIFIER]:
        body = replace(body, nonce=type(body.nonce)(bytes(32)))
    return original(at, sender, key, body)


def any_channel(original, at, sender, key, body):
    """Greet: certificates of another channel are taken."""
    known = at.facts.channel
    if known is not None:
        body = replace(body, verifier_tls=known.verifier, prover_tls=known.prover)
    return original(at, sender, key, body)


def any_counts(original, at, sender, body, heads):
    """Accept: declared counts that fit no claim are taken for none."""
    try:
        return original(at, sender, body, heads)
    except PeerError as error:
        if error.reason is not Reason.BAD_COUNT:
            raise
        return original(at, sender, replace(body, declared_counts=(0,)), heads)


def counts_first(original, at, sender, body, heads):
    """Accept: the number of counts is looked at before everything else."""
    if len(body.declared_counts) != len(at.facts.terms.sampled_claims):
        raise PeerError(Reason.BAD_COUNT, "?")
    return original(at, sender, body, heads)


def loose_records(original, found, key):
    """Compute records: all but the first are passed over."""
    return original(found[:1], key)


def any_evidence(original, facts):
    """The assurance of a verdict: evidence of whatever kind lifts it."""
    shown = facts.support is not None and facts.support.result is not None
    return "re-executed" if shown else original(facts)


def at_its_own_time(original, items, policy, bound, _at):
    """Appraisal: the time is the appraiser's own."""
    return original(items, policy, bound, int(time.time()))
