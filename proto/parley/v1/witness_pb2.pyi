from parley.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignedRequest(_message.Message):
    __slots__ = ("sealed", "key_history")
    SEALED_FIELD_NUMBER: _ClassVar[int]
    KEY_HISTORY_FIELD_NUMBER: _ClassVar[int]
    sealed: bytes
    key_history: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, sealed: _Optional[bytes] = ..., key_history: _Optional[_Iterable[bytes]] = ...) -> None: ...

class CosignRequest(_message.Message):
    __slots__ = ("request", "record")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    request: SignedRequest
    record: _session_pb2.Envelope
    def __init__(self, request: _Optional[_Union[SignedRequest, _Mapping]] = ..., record: _Optional[_Union[_session_pb2.Envelope, _Mapping]] = ...) -> None: ...

class CosignResponse(_message.Message):
    __slots__ = ("cosignature",)
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    cosignature: bytes
    def __init__(self, cosignature: _Optional[bytes] = ...) -> None: ...

class RegisterRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    def __init__(self, receipt: _Optional[bytes] = ...) -> None: ...

class PostRequest(_message.Message):
    __slots__ = ("request", "record")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    request: SignedRequest
    record: _session_pb2.Envelope
    def __init__(self, request: _Optional[_Union[SignedRequest, _Mapping]] = ..., record: _Optional[_Union[_session_pb2.Envelope, _Mapping]] = ...) -> None: ...

class PostResponse(_message.Message):
    __slots__ = ("cosignature",)
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    cosignature: bytes
    def __init__(self, cosignature: _Optional[bytes] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: SignedRequest
    def __init__(self, request: _Optional[_Union[SignedRequest, _Mapping]] = ...) -> None: ...

class ClaimResponse(_message.Message):
    __slots__ = ("cosignature",)
    COSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    cosignature: bytes
    def __init__(self, cosignature: _Optional[bytes] = ...) -> None: ...

class LookupRequest(_message.Message):
    __slots__ = ("exercise", "digest", "first_number", "head")
    EXERCISE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    exercise: bytes
    digest: bytes
    first_number: int
    head: bytes
    def __init__(self, exercise: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., first_number: _Optional[int] = ..., head: _Optional[bytes] = ...) -> None: ...

class LookupResponse(_message.Message):
    __slots__ = ("sealed", "record", "more")
    SEALED_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    sealed: _containers.RepeatedScalarFieldContainer[bytes]
    record: _session_pb2.Envelope
    more: bool
    def __init__(self, sealed: _Optional[_Iterable[bytes]] = ..., record: _Optional[_Union[_session_pb2.Envelope, _Mapping]] = ..., more: bool = ...) -> None: ...

class RefusalEvidence(_message.Message):
    __slots__ = ("sealed",)
    SEALED_FIELD_NUMBER: _ClassVar[int]
    sealed: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, sealed: _Optional[_Iterable[bytes]] = ...) -> None: ...
