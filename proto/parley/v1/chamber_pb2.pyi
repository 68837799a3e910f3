from parley.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChamberDescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChamberDescribeResponse(_message.Message):
    __slots__ = ("sandbox", "operator", "runtimes")
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    RUNTIMES_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    operator: bytes
    runtimes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, sandbox: _Optional[str] = ..., operator: _Optional[bytes] = ..., runtimes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("envelopes",)
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[_session_pb2.Envelope]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[_session_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class OpenRequest(_message.Message):
    __slots__ = ("envelopes", "earlier")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[_session_pb2.Envelope]
    earlier: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[_session_pb2.Envelope, _Mapping]]] = ..., earlier: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class OpenResponse(_message.Message):
    __slots__ = ("keys", "evidence", "received")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    keys: bytes
    evidence: bytes
    received: int
    def __init__(self, keys: _Optional[bytes] = ..., evidence: _Optional[bytes] = ..., received: _Optional[int] = ...) -> None: ...

class UploadRequest(_message.Message):
    __slots__ = ("session_id", "offset", "data")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    offset: int
    data: bytes
    def __init__(self, session_id: _Optional[bytes] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadResponse(_message.Message):
    __slots__ = ("received",)
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    received: int
    def __init__(self, received: _Optional[int] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("envelopes", "earlier")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[_session_pb2.Envelope]
    earlier: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[_session_pb2.Envelope, _Mapping]]] = ..., earlier: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    def __init__(self, receipt: _Optional[bytes] = ...) -> None: ...

class ResultsRequest(_message.Message):
    __slots__ = ("envelopes", "earlier")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[_session_pb2.Envelope]
    earlier: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[_session_pb2.Envelope, _Mapping]]] = ..., earlier: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class ResultsResponse(_message.Message):
    __slots__ = ("sealed",)
    SEALED_FIELD_NUMBER: _ClassVar[int]
    sealed: bytes
    def __init__(self, sealed: _Optional[bytes] = ...) -> None: ...
