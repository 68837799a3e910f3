"""What a server does that cannot listen."""

import pytest
import suite_kit
from parley.v1 import session_pb2_grpc as rpc
from parley_attestation.errors import LocalError, Reason
from parley_prover.service import serve


def test_an_address_that_cannot_be_bound_is_an_own_failure(tmp_path):
    with suite_kit.prover(tmp_path) as job, pytest.raises(LocalError) as caught:
        serve(
            rpc.ProverServicer(),
            suite_kit.make(tmp_path / "other", job.peer.role),
            [job.party.card],
            "256.0.0.1:1",
            1,
        )
    assert caught.value.reason is Reason.UNREACHABLE
