from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunSessionRequest(_message.Message):
    __slots__ = ("endpoint", "prover", "verifier", "terms", "registration", "items", "deadline_seconds", "journal")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PROVER_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    prover: PinnedProver
    verifier: VerifierIdentity
    terms: bytes
    registration: bytes
    items: _containers.RepeatedCompositeFieldContainer[Item]
    deadline_seconds: int
    journal: str
    def __init__(self, endpoint: _Optional[str] = ..., prover: _Optional[_Union[PinnedProver, _Mapping]] = ..., verifier: _Optional[_Union[VerifierIdentity, _Mapping]] = ..., terms: _Optional[bytes] = ..., registration: _Optional[bytes] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., deadline_seconds: _Optional[int] = ..., journal: _Optional[str] = ...) -> None: ...

class PinnedProver(_message.Message):
    __slots__ = ("root", "certificate")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    root: bytes
    certificate: bytes
    def __init__(self, root: _Optional[bytes] = ..., certificate: _Optional[bytes] = ...) -> None: ...

class VerifierIdentity(_message.Message):
    __slots__ = ("root_key", "session_seed", "key_history", "certificate", "certificate_key")
    ROOT_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_SEED_FIELD_NUMBER: _ClassVar[int]
    KEY_HISTORY_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_KEY_FIELD_NUMBER: _ClassVar[int]
    root_key: bytes
    session_seed: bytes
    key_history: _containers.RepeatedScalarFieldContainer[bytes]
    certificate: bytes
    certificate_key: bytes
    def __init__(self, root_key: _Optional[bytes] = ..., session_seed: _Optional[bytes] = ..., key_history: _Optional[_Iterable[bytes]] = ..., certificate: _Optional[bytes] = ..., certificate_key: _Optional[bytes] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("prompt", "prompt_key", "reference", "reference_key")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_KEY_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_KEY_FIELD_NUMBER: _ClassVar[int]
    prompt: bytes
    prompt_key: bytes
    reference: bytes
    reference_key: bytes
    def __init__(self, prompt: _Optional[bytes] = ..., prompt_key: _Optional[bytes] = ..., reference: _Optional[bytes] = ..., reference_key: _Optional[bytes] = ...) -> None: ...

class RunSessionResponse(_message.Message):
    __slots__ = ("verdict", "reason", "blamed", "transcript")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BLAMED_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    verdict: str
    reason: str
    blamed: str
    transcript: bytes
    def __init__(self, verdict: _Optional[str] = ..., reason: _Optional[str] = ..., blamed: _Optional[str] = ..., transcript: _Optional[bytes] = ...) -> None: ...
