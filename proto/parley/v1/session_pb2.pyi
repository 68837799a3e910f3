from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("versions", "suites", "modes", "root", "model_claims", "max_payload", "max_sessions", "capabilities")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SUITES_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    MODEL_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    MAX_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    MAX_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedScalarFieldContainer[int]
    suites: _containers.RepeatedScalarFieldContainer[int]
    modes: _containers.RepeatedScalarFieldContainer[str]
    root: bytes
    model_claims: _containers.RepeatedScalarFieldContainer[bytes]
    max_payload: int
    max_sessions: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, versions: _Optional[_Iterable[int]] = ..., suites: _Optional[_Iterable[int]] = ..., modes: _Optional[_Iterable[str]] = ..., root: _Optional[bytes] = ..., model_claims: _Optional[_Iterable[bytes]] = ..., max_payload: _Optional[int] = ..., max_sessions: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: Frame
    def __init__(self, frame: _Optional[_Union[Frame, _Mapping]] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: Frame
    def __init__(self, frame: _Optional[_Union[Frame, _Mapping]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("envelope", "chunk", "ping", "resume", "side")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    chunk: BlobChunk
    ping: Ping
    resume: Resume
    side: SideRecord
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ..., chunk: _Optional[_Union[BlobChunk, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., side: _Optional[_Union[SideRecord, _Mapping]] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("payload_type", "payload", "signatures")
    PAYLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    payload_type: str
    payload: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, payload_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class BlobChunk(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("reply",)
    REPLY_FIELD_NUMBER: _ClassVar[int]
    reply: bool
    def __init__(self, reply: bool = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ("session_id", "sequence", "head")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    sequence: int
    head: bytes
    def __init__(self, session_id: _Optional[bytes] = ..., sequence: _Optional[int] = ..., head: _Optional[bytes] = ...) -> None: ...

class SideRecord(_message.Message):
    __slots__ = ("sealed",)
    SEALED_FIELD_NUMBER: _ClassVar[int]
    sealed: bytes
    def __init__(self, sealed: _Optional[bytes] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("session_id", "sequence", "previous")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    sequence: int
    previous: bytes
    def __init__(self, session_id: _Optional[bytes] = ..., sequence: _Optional[int] = ..., previous: _Optional[bytes] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("header", "versions", "suites", "modes", "key_history", "nonce", "verifier_tls", "prover_tls")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SUITES_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    KEY_HISTORY_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_TLS_FIELD_NUMBER: _ClassVar[int]
    PROVER_TLS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    versions: _containers.RepeatedScalarFieldContainer[int]
    suites: _containers.RepeatedScalarFieldContainer[int]
    modes: _containers.RepeatedScalarFieldContainer[str]
    key_history: _containers.RepeatedScalarFieldContainer[bytes]
    nonce: bytes
    verifier_tls: bytes
    prover_tls: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., versions: _Optional[_Iterable[int]] = ..., suites: _Optional[_Iterable[int]] = ..., modes: _Optional[_Iterable[str]] = ..., key_history: _Optional[_Iterable[bytes]] = ..., nonce: _Optional[bytes] = ..., verifier_tls: _Optional[bytes] = ..., prover_tls: _Optional[bytes] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("header", "version", "suite", "mode", "key_history", "nonce", "verifier_tls", "prover_tls")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SUITE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    KEY_HISTORY_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_TLS_FIELD_NUMBER: _ClassVar[int]
    PROVER_TLS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    version: int
    suite: int
    mode: str
    key_history: _containers.RepeatedScalarFieldContainer[bytes]
    nonce: bytes
    verifier_tls: bytes
    prover_tls: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., version: _Optional[int] = ..., suite: _Optional[int] = ..., mode: _Optional[str] = ..., key_history: _Optional[_Iterable[bytes]] = ..., nonce: _Optional[bytes] = ..., verifier_tls: _Optional[bytes] = ..., prover_tls: _Optional[bytes] = ...) -> None: ...

class Propose(_message.Message):
    __slots__ = ("header", "terms", "attempt", "earlier_heads", "coin_commitment", "test_set")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EARLIER_HEADS_FIELD_NUMBER: _ClassVar[int]
    COIN_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    TEST_SET_FIELD_NUMBER: _ClassVar[int]
    header: Header
    terms: bytes
    attempt: int
    earlier_heads: _containers.RepeatedScalarFieldContainer[bytes]
    coin_commitment: bytes
    test_set: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., terms: _Optional[bytes] = ..., attempt: _Optional[int] = ..., earlier_heads: _Optional[_Iterable[bytes]] = ..., coin_commitment: _Optional[bytes] = ..., test_set: _Optional[bytes] = ...) -> None: ...

class Accept(_message.Message):
    __slots__ = ("header", "terms_digest", "declared_counts", "coin_commitment", "model_claim", "evidence")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TERMS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DECLARED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    COIN_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_CLAIM_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    header: Header
    terms_digest: bytes
    declared_counts: _containers.RepeatedScalarFieldContainer[int]
    coin_commitment: bytes
    model_claim: bytes
    evidence: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., terms_digest: _Optional[bytes] = ..., declared_counts: _Optional[_Iterable[int]] = ..., coin_commitment: _Optional[bytes] = ..., model_claim: _Optional[bytes] = ..., evidence: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Decline(_message.Message):
    __slots__ = ("header", "reason", "detail")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    header: Header
    reason: str
    detail: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Coin(_message.Message):
    __slots__ = ("header", "coin", "key")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COIN_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    header: Header
    coin: bytes
    key: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., coin: _Optional[bytes] = ..., key: _Optional[bytes] = ...) -> None: ...

class Unit(_message.Message):
    __slots__ = ("item", "sample", "prompt_commitment", "reference_commitment", "proof", "size")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    item: int
    sample: int
    prompt_commitment: bytes
    reference_commitment: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    size: int
    def __init__(self, item: _Optional[int] = ..., sample: _Optional[int] = ..., prompt_commitment: _Optional[bytes] = ..., reference_commitment: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ..., size: _Optional[int] = ...) -> None: ...

class Challenge(_message.Message):
    __slots__ = ("header", "units", "stream_digest")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    STREAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    header: Header
    units: _containers.RepeatedCompositeFieldContainer[Unit]
    stream_digest: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., units: _Optional[_Iterable[_Union[Unit, _Mapping]]] = ..., stream_digest: _Optional[bytes] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("output_commitment", "size")
    OUTPUT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    output_commitment: bytes
    size: int
    def __init__(self, output_commitment: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("header", "answers", "stream_digest")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    STREAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    header: Header
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    stream_digest: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., stream_digest: _Optional[bytes] = ...) -> None: ...

class Stop(_message.Message):
    __slots__ = ("header", "counts")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("header", "sizes", "stream_digest", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    STREAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    sizes: _containers.RepeatedScalarFieldContainer[int]
    stream_digest: bytes
    results: _containers.RepeatedCompositeFieldContainer[ClaimedResult]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., sizes: _Optional[_Iterable[int]] = ..., stream_digest: _Optional[bytes] = ..., results: _Optional[_Iterable[_Union[ClaimedResult, _Mapping]]] = ...) -> None: ...

class ClaimedResult(_message.Message):
    __slots__ = ("codes", "key", "proof")
    CODES_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    codes: bytes
    key: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, codes: _Optional[bytes] = ..., key: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Binding(_message.Message):
    __slots__ = ("header", "statement")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    header: Header
    statement: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., statement: _Optional[bytes] = ...) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("header", "verdict_digest", "result_root", "stream_digest")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESULT_ROOT_FIELD_NUMBER: _ClassVar[int]
    STREAM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    header: Header
    verdict_digest: bytes
    result_root: bytes
    stream_digest: bytes
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., verdict_digest: _Optional[bytes] = ..., result_root: _Optional[bytes] = ..., stream_digest: _Optional[bytes] = ...) -> None: ...

class Dissent(_message.Message):
    __slots__ = ("header", "verdict_digest", "detail")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    header: Header
    verdict_digest: bytes
    detail: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., verdict_digest: _Optional[bytes] = ..., detail: _Optional[str] = ...) -> None: ...

class Abort(_message.Message):
    __slots__ = ("header", "reason", "detail")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    header: Header
    reason: str
    detail: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("header", "chambers")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHAMBERS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    chambers: _containers.RepeatedCompositeFieldContainer[ChamberEvidence]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., chambers: _Optional[_Iterable[_Union[ChamberEvidence, _Mapping]]] = ...) -> None: ...

class ChamberEvidence(_message.Message):
    __slots__ = ("keys", "evidence")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    keys: bytes
    evidence: bytes
    def __init__(self, keys: _Optional[bytes] = ..., evidence: _Optional[bytes] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("header", "keys", "size")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    header: Header
    keys: _containers.RepeatedCompositeFieldContainer[WrappedKey]
    size: int
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[WrappedKey, _Mapping]]] = ..., size: _Optional[int] = ...) -> None: ...

class WrappedKey(_message.Message):
    __slots__ = ("keys_digest", "wrapped")
    KEYS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WRAPPED_FIELD_NUMBER: _ClassVar[int]
    keys_digest: bytes
    wrapped: bytes
    def __init__(self, keys_digest: _Optional[bytes] = ..., wrapped: _Optional[bytes] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("header", "reason", "detail")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    header: Header
    reason: str
    detail: str
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("header", "statements")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    header: Header
    statements: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., statements: _Optional[_Iterable[bytes]] = ...) -> None: ...
