"""Takes guards out of the shared code for the implementation's threads alone; the suite stays honest."""

import functools
import threading

from parley_attestation.errors import PeerError


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
