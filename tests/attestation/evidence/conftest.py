"""Vendors' stand-ins, pinned in place of the real roots."""

import pytest
from evidence_forge import Amd, Aws, Nvidia
from evidence_forge_intel import Intel
from parley_attestation.evidence import collateral, dcap, nitro, nvidia, snp


@pytest.fixture(scope="session")
def forged_amd():
    return Amd()


@pytest.fixture(scope="session")
def forged_aws():
    return Aws()


@pytest.fixture
def amd(forged_amd, monkeypatch):
    monkeypatch.setattr(snp, "pinned", forged_amd.pinned)
    return forged_amd


@pytest.fixture
def aws(forged_aws, monkeypatch):
    monkeypatch.setattr(nitro, "pinned", forged_aws.pinned)
    return forged_aws


@pytest.fixture
def intel(monkeypatch):
    found = Intel()
    monkeypatch.setattr(dcap, "pinned", found.pinned)
    monkeypatch.setattr(collateral, "pinned", found.pinned)
    return found


@pytest.fixture
def gpus(monkeypatch):
    found = Nvidia()
    monkeypatch.setattr(nvidia, "pinned", found.pinned)
    return found
