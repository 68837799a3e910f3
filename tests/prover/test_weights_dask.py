import importlib.util
from pathlib import Path

import pytest
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.weights import verify_model
from parley_attestation.model.chunks import RUN

distributed = pytest.importorskip("distributed")
EXAMPLE = Path(__file__).parents[2] / "examples" / "dask_hashing" / "register.py"


@pytest.mark.slow
def test_a_model_registered_on_a_cluster_of_two_workers_verifies_here(tmp_path):
    spec = importlib.util.spec_from_file_location("dask_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    folder = tmp_path / "model"
    folder.mkdir()
    for shard in range(3):
        with (folder / f"shard-{shard}.bin").open("wb") as file:
            file.truncate(RUN + 1000 * shard)
            file.write(bytes([shard]) * 100)
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path / "dask"),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        made = example.register(client, str(folder), SigningKey(bytes(32)), "sharded")
        busy = client.run(lambda: "parley_attestation.edge.weights.hashing" in __import__("sys").modules)
    assert list(busy.values()) == [True, True]
    assert verify_model(str(folder), made.claim, made.secret).manifest.size == 3 * RUN + 3000
