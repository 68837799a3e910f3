import pytest
from parley_attestation import keys, statement
from parley_attestation.ed25519 import SigningKey
from parley_attestation.encoding import Digest, Label, digest
from parley_attestation.errors import PeerError, Reason, Role
from parley_attestation.keys import Certificate, Revocation, fingerprint, read_history
from parley_attestation.log.panel import check_before, registered
from parley_attestation.log.witness import Receipt
from parley_attestation.statement import Statement, Subject

ROOT, KEY, OTHER = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3))
WITNESSES = [SigningKey(bytes([n]) * 32) for n in (7, 8, 9)]


def certificate(key=KEY, role=Role.PROVER, start=100, end=200, root=ROOT):
    return Certificate(ROOT.public, key.public, role, start, end).sealed(root)


def revocation(since, key=KEY, root=ROOT):
    return Revocation(ROOT.public, key.public, since).sealed(root)


def refused(*reasons):
    return pytest.raises(PeerError, check=lambda e: e.reason in reasons)


def test_a_party_is_the_fingerprint_of_its_root():
    assert read_history([certificate()]).owner == fingerprint(ROOT.public)
    assert fingerprint(ROOT.public) == digest(Label.ROOT_KEY, ROOT.public)


@pytest.mark.parametrize(("at", "good"), [(99, False), (100, True), (200, True), (201, False), (None, True)])
def test_a_key_is_valid_from_its_first_to_its_last_second(at, good):
    history = read_history([certificate()])
    if good:
        assert history.certified(KEY.public, Role.PROVER, at).key == KEY.public
    else:
        with refused(Reason.KEY_NOT_CERTIFIED):
            history.certified(KEY.public, Role.PROVER, at)


@pytest.mark.parametrize(("at", "good"), [(149, True), (150, False), (151, False)])
def test_a_key_revoked_by_the_witnessed_time_is_refused_and_signed_before_it_counts(at, good):
    history = read_history([certificate(), revocation(150)])
    if good:
        history.certified(KEY.public, Role.PROVER, at)
    else:
        with refused(Reason.KEY_NOT_CERTIFIED):
            history.certified(KEY.public, Role.PROVER, at)


def test_a_revocation_of_another_key_changes_nothing():
    read_history([certificate(), revocation(0, OTHER)]).certified(KEY.public, Role.PROVER, 150)


@pytest.mark.parametrize(("key", "role"), [(KEY, Role.VERIFIER), (OTHER, Role.PROVER)])
def test_a_key_serves_the_role_it_was_certified_for_and_no_other(key, role):
    for at in (150, None):
        with refused(Reason.KEY_NOT_CERTIFIED):
            read_history([certificate()]).certified(key.public, role, at)


def test_a_renewed_key_is_valid_in_either_range():
    history = read_history([certificate(), certificate(start=300, end=400)])
    assert history.certified(KEY.public, Role.PROVER, 150).not_after == 200
    assert history.certified(KEY.public, Role.PROVER, 350).not_after == 400
    with refused(Reason.KEY_NOT_CERTIFIED):
        history.certified(KEY.public, Role.PROVER, 250)


def test_an_entry_that_another_root_signed_or_names_is_refused():
    foreign = Certificate(OTHER.public, KEY.public, Role.PROVER, 0, 1).sealed(ROOT)
    for wrong in (certificate(root=OTHER), foreign):
        with refused(Reason.BAD_SIGNATURE, Reason.BAD_KEY):
            read_history([certificate(), wrong])


@pytest.mark.parametrize("count", [0, keys.MAX_HISTORY + 1])
def test_a_history_has_a_bounded_number_of_entries(count):
    with refused(Reason.BAD_KEY):
        read_history([certificate()] * count)


def test_a_statement_of_another_type_has_no_place_in_a_history():
    predicate = {"root": ROOT.public.hex(), "key": KEY.public.hex()}
    other = Statement("tag:example,2026:x/v1", (Subject("key", Digest(bytes(32))),), predicate)
    with refused(Reason.BAD_KEY):
        read_history([certificate(), statement.seal(other, ROOT)])


@pytest.mark.parametrize(("name", "value"), [("role", "king"), ("not_after", -1), ("more", 1), ("key", "00")])
def test_a_certificate_out_of_form_is_refused(name, value):
    said = statement.open_sealed(certificate(), ROOT.public)
    changed = Statement(keys.CERTIFICATE, said.subjects, said.predicate | {name: value})
    with refused(Reason.BAD_KEY):
        read_history([statement.seal(changed, ROOT)])


def receipts(sealed, times):
    said = statement.open_sealed(sealed, ROOT.public).digest()
    signed = [Receipt(said, at, 1, "w").sealed(w) for at, w in zip(times, WITNESSES, strict=True)]
    return registered(signed, [w.public for w in WITNESSES], 2, digest=said)


def test_a_back_dated_revocation_ends_a_key_no_earlier_than_it_was_witnessed():
    """What a root says of the past is judged by when a witness saw it: records made before stand."""
    late = revocation(since=120)
    seen = receipts(late, [500, 510, 520])
    assert seen.time == 510
    with refused(Reason.BAD_REGISTRATION):  # it was not known when the session was witnessed at 150
        check_before(seen, 150, "the revocation")
    read_history([certificate()]).certified(KEY.public, Role.PROVER, 150)


def test_a_back_dated_certificate_is_worth_nothing_before_it_was_witnessed():
    made_up = certificate(OTHER, start=0, end=1000)
    seen = receipts(made_up, [500, 500, 500])
    read_history([made_up]).certified(OTHER.public, Role.PROVER, 150)  # by its own dates it is fine
    with refused(Reason.BAD_REGISTRATION):
        check_before(seen, 150, "the certificate")
