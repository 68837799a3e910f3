"""Witnesses in memory for exercises in memory."""

import io

from kit import Exercise, pipe, seed
from parley_attestation import keys
from parley_attestation.ed25519 import SigningKey
from parley_attestation.edge.notary import Shown
from parley_attestation.edge.records import write_record
from parley_attestation.edge.witness_store import WitnessStore
from parley_attestation.log.witness import Event, Request, read_cosignature
from parley_attestation.terms import Witnesses
from parley_attestation.witnessing import deadline

NOW = 1_000_000


class Bench:
    """Witnesses in memory with one clock; a party's notary asks those that are up."""

    def __init__(self, folder, count=1):
        self.stores = [
            WitnessStore(folder / f"w{n}.sqlite", f"w{n}", SigningKey(seed("witness", n)))
            for n in range(count)
        ]
        self.up = list(range(count))
        self.now = NOW

    @property
    def keys(self):
        return tuple(keys.PublicKey(store.public) for store in self.stores)

    def notary(self, side):
        bench = self

        class Notary:
            def cosign(self, machine, at, event, record):
                assert record.head() == at.head
                return bench.ask(side, machine, at, event, record=record)

            def post(self, machine, at, record):
                return bench.ask(side, machine, at, Event.POSTED, record=record)

            def start_clock(self, machine, at, record):
                own = record.signatures[0].key == side.session.public
                return bench.ask(side, machine, at, Event.POSTED if own else Event.RELAYED, record=record)

            def claim(self, machine, at):
                return bench.ask(side, machine, at, Event.DEFAULT, seconds=deadline(machine))

            def shown(self, exercise):
                return [
                    Shown(
                        store.public,
                        tuple(read_cosignature(s, store.public) for s in store.exercise(exercise, 0)[0]),
                    )
                    for store in (bench.stores[n] for n in bench.up)
                ]

            def record(self, at, witness):
                (store,) = [s for s in bench.stores if s.public == witness]
                return store.record(at.exercise, at.head)

        return Notary()

    def ask(self, side, machine, at, event, *, seconds=0, record=None):
        terms = machine.facts.terms
        request = Request(at, event, side.role, terms.prover, terms.verifier, seconds)
        sealed = request.sealed(side.session)
        return tuple(self.stores[n].cosign(request, sealed, self.now, record) for n in self.up)


def witnessed_exercise(tmp_path, count=1, threshold=1, unreachable="unwitnessed", **more):
    bench = Bench(tmp_path, count)
    exercise = Exercise(
        tmp_path, terms_changes={"witnesses": Witnesses(bench.keys, threshold, unreachable)}, **more
    )
    return bench, exercise


def run_with(bench, exercise):
    exercise.notary = bench.notary(exercise.verifier)
    v = exercise.verifier_end()
    exercise.notary = bench.notary(exercise.prover)
    p = exercise.prover_end()
    pipe(v, p)
    return v, p


def record(end, path):
    write_record(end.journal, end.row, path)
    return io.BytesIO(path.read_bytes())
