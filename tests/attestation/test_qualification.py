"""Who vouches for a test set's references, and when that counts."""

import io

from kit import Exercise, seed
from parley_attestation import keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.records import write_record
from parley_attestation.encoding import Digest
from parley_attestation.judge import judge
from parley_attestation.qualification import QUALIFICATION, qualified, seal_qualification
from parley_attestation.statement import Statement, Subject, seal

KEY = SigningKey(seed("qualifier"))
NAME = keys.fingerprint(KEY.public)


def judged(tmp_path, qualifiers, root=None, key=KEY):
    exercise = Exercise(tmp_path, terms_changes={"qualifiers": qualifiers})
    v, _ = exercise.run()
    v.journal.side(v.row, seal_qualification(key, root or exercise.tests.public.root, "checked by hand"))
    write_record(v.journal, v.row, tmp_path / "r")
    return judge(io.BytesIO((tmp_path / "r").read_bytes()))


def test_a_qualifier_named_in_the_terms_counts(tmp_path):
    assert judged(tmp_path, (NAME,)).qualifier == NAME


def test_a_qualifier_that_the_terms_do_not_name_counts_for_nothing(tmp_path):
    assert judged(tmp_path, ()).qualifier is None


def test_a_statement_over_another_set_counts_for_nothing(tmp_path):
    assert judged(tmp_path, (NAME,), root=Digest(seed("another set"))).qualifier is None


def test_one_cannot_vouch_in_anothers_name():
    root = Digest(seed("set"))
    sealed = seal_qualification(SigningKey(seed("impostor")), root, "trust me")
    assert qualified([sealed], [NAME], root) is None
    assert qualified([sealed.replace(b"a", b"b", 1), b"", b"{}"], [NAME], root) is None


def test_a_statement_about_something_else_than_a_test_set_counts_for_nothing():
    root = Digest(seed("set"))
    predicate = {"qualifier": NAME.hex(), "basis": "checked by hand"}
    for name, expected in (("test-set", NAME), ("model", None)):
        sealed = seal(Statement(QUALIFICATION, (Subject(name, root),), predicate), KEY)
        assert qualified([sealed], [NAME], root) == expected
