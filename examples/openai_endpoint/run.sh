#!/bin/sh
# The whole exercise in a fresh folder: sh run.sh FOLDER. Uses the stand-in server unless BASE_URL is set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?usage: run.sh FOLDER}
python=${PYTHON:-python3}
parley="$python -m parley_cli"
mkdir -p "$work"
cp "$here"/*.toml "$here"/questions.jsonl "$here"/serve_stub.py "$work"
cd "$work"
if [ -z "${BASE_URL:-}" ]; then
  "$python" serve_stub.py --port 0 > stub.log &
  stub=$!
  trap 'kill $stub $serving 2>/dev/null || true' EXIT
  serving=
  while ! grep -q http stub.log; do kill -0 $stub; done
  BASE_URL=$(sed -n 's/.*\(http[^ ]*\).*/\1/p' stub.log | head -n 1)
else
  serving=
  trap 'kill $serving 2>/dev/null || true' EXIT
fi
sed -i "s|^base_url = .*|base_url = \"$BASE_URL\"|; s|^listen = .*|listen = \"127.0.0.1:0\"|" prover.toml

$parley keygen verifier --name "Example Institute" --role verifier
$parley keygen prover --name "Example Lab" --role prover
# What a claim over a remote endpoint covers is the prover's to say: here, its configuration file.
mkdir -p model && cp prover.toml model/
$parley model register model --party prover --name "the endpoint in prover.toml" --out model.claim.json
$parley testset register questions.jsonl --party verifier --out questions.sealed --key-file questions.key \
  --grader '{"kind": "contains", "ignore_case": true, "whole_words": true}'
$parley terms new terms.toml --party verifier --registration questions.sealed.registration.json \
  --model model.claim.json --out terms.json
$parley prover serve prover.toml > prover.log &
serving=$!
while ! grep -q LISTENING prover.log; do kill -0 $serving; done
endpoint=$(sed -n 's/LISTENING //p' prover.log)
sed "s|\"endpoint\": *\"[^\"]*\"|\"endpoint\": \"$endpoint\"|" prover/card.json > peer.json
sed -i 's|^peer = .*|peer = "peer.json"|' verifier.toml
$parley verifier run verifier.toml --record record.parley || test $? -lt 4
$parley check record.parley --pin prover/card.json --pin verifier/card.json
