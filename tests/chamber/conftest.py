"""What tests of the chamber share."""

import contextlib

import pytest
from test_chamber_service import Place


@pytest.fixture
def place(tmp_path):
    """A chamber that serves, and its parties; closed again afterwards."""
    made = Place(tmp_path)
    with contextlib.ExitStack() as held:
        held.callback(lambda: made.server.stop(None).wait())
        yield made
        for client in made.clients:
            client.close()
