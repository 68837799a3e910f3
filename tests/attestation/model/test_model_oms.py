import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from parley_attestation.edge.weights.digests import compare_digests, file_digests
from parley_attestation.encoding import Digest
from parley_attestation.errors import LocalError, PeerError, Reason
from parley_attestation.model.oms import read_bundle
from parley_attestation.model.oms_verify import verify_oms
from parley_prover.oms import sign_oms

DATA = Path(__file__).parents[2] / "data" / "oms"
PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
FILES = {
    "signme-1": "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc",
    "signme-2": "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028",
}
MADE = 1_760_062_340  # Unix seconds at which the Sigstore bundle was logged


def _valid(name):
    return (DATA / "valid" / f"{name}.bundle.json").read_bytes()


def _leaf_key():
    """The published key bundle is signed with the key of the published certificate: the hint says so."""
    leaf = x509.load_der_x509_certificate(read_bundle(_valid("certificate")).certificates[0])
    return leaf.public_key().public_bytes(PEM, SPKI)


def _key(curve=None):
    made = ec.generate_private_key(curve or ec.SECP256R1())
    return _private(made), made.public_key().public_bytes(PEM, SPKI)


def _private(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _reason(raw, **options):
    with pytest.raises(PeerError) as refused:
        verify_oms(raw, **options)
    return refused.value.reason


def test_the_published_key_bundle_verifies_in_full():
    found = verify_oms(_valid("key"), public_key=_leaf_key())
    assert {path: sha256.hex() for path, sha256 in found.said.files.items()} == FILES
    assert ".git" in found.said.ignored
    assert found.unverified == ()


def test_the_published_certificate_bundle_verifies_up_to_the_root_that_is_not_published():
    found = verify_oms(_valid("certificate"))
    assert {path: sha256.hex() for path, sha256 in found.said.files.items()} == FILES
    assert found.unverified == (
        "that the certificate chain ends at a trusted root",
        "that the certificates were valid when the bundle was signed",
    )
    assert verify_oms(_valid("certificate"), public_key=_leaf_key()).unverified == ()
    issuer = x509.load_der_x509_certificate(read_bundle(_valid("certificate")).certificates[-1])
    pem = issuer.public_bytes(PEM)
    assert verify_oms(_valid("certificate"), roots=[pem], at=MADE).unverified == ()
    assert _reason(_valid("certificate"), roots=[pem], at=0) is Reason.BAD_KEY


def test_the_published_sigstore_bundle_verifies_as_far_as_no_key_of_sigstore_is_needed():
    found = verify_oms(_valid("sigstore"), at=MADE)
    assert set(found.said.files) == set(FILES)
    assert found.unverified == (
        "that the certificate chain ends at a trusted root",
        "the log's signature over its tree, and the time it gives",
    )


def test_a_wrong_key_or_root_is_refused():
    _, public = _key()
    assert _reason(_valid("key")) is Reason.BAD_KEY
    assert _reason(_valid("key"), public_key=public) is Reason.BAD_KEY
    assert _reason(_valid("key"), public_key=b"no key") is Reason.BAD_KEY
    assert _reason(_valid("certificate"), public_key=public) is Reason.BAD_KEY
    other = x509.load_der_x509_certificate(read_bundle(_valid("sigstore")).certificates[0])
    assert _reason(_valid("certificate"), roots=[other.public_bytes(PEM)]) is Reason.BAD_KEY
    assert _reason(_valid("certificate"), roots=[b"no certificate"]) is Reason.BAD_KEY
    ed = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(PEM, SPKI)
    assert _reason(_valid("key"), public_key=ed) is Reason.BAD_KEY


@pytest.mark.parametrize("path", sorted(DATA.glob("invalid*/*.json")), ids=lambda p: p.stem)
def test_the_published_invalid_bundles_are_refused(path):
    assert _reason(path.read_bytes(), public_key=_leaf_key()) in {Reason.MALFORMED, Reason.UNSUPPORTED}


def _edit(name, change):
    bundle = json.loads(_valid(name))
    change(bundle)
    return json.dumps(bundle).encode()


def _edit_payload(change, name="key"):
    def edit(bundle):
        payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        change(payload)
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()

    return _edit(name, edit)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p["predicate"]["serialization"].update(method="shards"), Reason.UNSUPPORTED),
        (lambda p: p["predicate"]["serialization"].update(hash_type="blake3"), Reason.UNSUPPORTED),
        (lambda p: p["predicate"]["serialization"].update(allow_symlinks=True), Reason.UNSUPPORTED),
        (lambda p: p["predicate"]["resources"][0].update(algorithm="blake2b"), Reason.UNSUPPORTED),
        (lambda p: p["predicate"]["resources"][0].update(name="../x"), Reason.BAD_MODEL_CLAIM),
        (lambda p: p["predicate"]["resources"][0].update(name="signme-2"), Reason.MALFORMED),
        (lambda p: p["predicate"]["resources"][0].update(digest="00" * 32), Reason.MALFORMED),
        (lambda p: p["predicate"].update(extra=1), Reason.UNKNOWN_FIELD),
        (lambda p: p["predicate"]["resources"].clear(), Reason.MALFORMED),
        (lambda p: p["subject"][0].update(name="other"), Reason.BAD_SIGNATURE),
    ],
)
def test_an_altered_statement_is_refused(change, reason):
    assert _reason(_edit_payload(change), public_key=_leaf_key()) is reason


@pytest.mark.parametrize("name", ["certificate", "sigstore"])
def test_an_altered_statement_under_a_certificate_is_refused(name):
    raw = _edit_payload(lambda p: p["subject"][0].update(name="other"), name)
    assert _reason(raw) is Reason.BAD_SIGNATURE


def test_a_chain_that_does_not_hold_together_is_refused():
    stranger = json.loads(_valid("sigstore"))["verificationMaterial"]["certificate"]

    def chain(bundle):
        return bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]

    assert _reason(_edit("certificate", lambda b: chain(b).append(stranger))) is Reason.BAD_KEY
    assert _reason(_edit("certificate", lambda b: chain(b).insert(1, stranger))) is Reason.BAD_KEY


def test_an_altered_log_entry_is_refused():
    def entry(change):
        return lambda bundle: change(bundle["verificationMaterial"]["tlogEntries"][0])

    def proof(name, value):
        return entry(lambda e: e["inclusionProof"].update({name: value}))

    for change in (
        proof("logIndex", "5"),
        proof("treeSize", "476246826"),
        proof("rootHash", base64.b64encode(bytes(32)).decode()),
        proof("hashes", []),
        entry(lambda e: e.update(canonicalizedBody=base64.b64encode(b"{}").decode())),
    ):
        assert _reason(_edit("sigstore", change)) is Reason.BAD_PROOF

    def foreign(bundle):
        """A log of one entry about another signature."""
        one = bundle["verificationMaterial"]["tlogEntries"][0]
        body = base64.b64decode(one["canonicalizedBody"]).replace(b"1dc62239", b"2dc62239")
        root = hashlib.sha256(b"\x00" + body).digest()
        one["canonicalizedBody"] = base64.b64encode(body).decode()
        one["inclusionProof"].update(
            logIndex="0", treeSize="1", hashes=[], rootHash=base64.b64encode(root).decode()
        )

    assert _reason(_edit("sigstore", foreign)) is Reason.BAD_PROOF
    alone = _edit("sigstore", lambda b: b["verificationMaterial"].update(tlogEntries=[]))
    assert "the signature stands in no transparency log" in verify_oms(alone).unverified


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "sub").mkdir(parents=True)
    (made / "weights.bin").write_bytes(bytes(range(256)) * 5000)
    (made / "sub" / "config.json").write_bytes(b"{}")
    (made / "empty").write_bytes(b"")
    return made


def test_a_bundle_we_sign_verifies_and_names_the_file_that_differs(folder):
    private, public = _key()
    digests = file_digests(str(folder), ignored=["sub"])
    assert digests["weights.bin"] == hashlib.sha256((folder / "weights.bin").read_bytes()).digest()
    assert set(digests) == {"weights.bin", "empty"}
    digests = file_digests(str(folder))
    said = verify_oms(sign_oms("m", digests, private), public_key=public).said
    compare_digests(said, file_digests(str(folder)))
    for change, named in (
        (lambda: (folder / "weights.bin").write_bytes(b""), "'weights.bin' differs"),
        ((folder / "weights.bin").unlink, "'weights.bin' is missing"),
        (lambda: (folder / "a").write_bytes(b""), "'a' is not in the bundle"),
    ):
        change()
        with pytest.raises(PeerError, match=named):
            compare_digests(said, file_digests(str(folder)))


def test_only_p256_signs(folder):
    for key in (_key(ec.SECP384R1())[0], _private(ed25519.Ed25519PrivateKey.generate()), b"x"):
        with pytest.raises(LocalError):
            sign_oms("m", {"a": Digest(bytes(32))}, key)


@pytest.mark.slow
def test_the_model_signing_command_line_accepts_our_bundle_and_we_accept_its_own(
    folder, tmp_path, pytestconfig
):
    environment = pytestconfig.cache.mkdir("model-signing-1.1.1") / "venv"
    tool = environment / "bin" / "model_signing"
    if not tool.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--clear", environment], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", environment, "model-signing==1.1.1", "pyOpenSSL"],
            check=True,
        )
    private, public = _key()
    (tmp_path / "private.pem").write_bytes(private)
    (tmp_path / "public.pem").write_bytes(public)
    ours, theirs = tmp_path / "ours.sig", tmp_path / "theirs.sig"
    ours.write_bytes(sign_oms("model", file_digests(str(folder)), private))
    keys = ["--public_key", tmp_path / "public.pem"]
    verify = [tool, "verify", "key", folder, "--signature", ours, *keys]
    subprocess.run(verify, check=True, capture_output=True)
    subprocess.run(
        [tool, "sign", "key", folder, "--signature", theirs, "--private_key", tmp_path / "private.pem"],
        check=True,
        capture_output=True,
    )
    compare_digests(verify_oms(theirs.read_bytes(), public_key=public).said, file_digests(str(folder)))
    (folder / "weights.bin").write_bytes(b"other")
    assert subprocess.run(verify, check=False, capture_output=True).returncode != 0
