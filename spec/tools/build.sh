#!/bin/sh
# Builds the draft: spec/build/*.xml, .txt, .html (or into the folder given). Its tools come by themselves:
# kramdown-rfc from Debian, xml2rfc pinned from PyPI, idnits pinned in package.json. References stand in
# spec/refs, the date is fixed: nothing else is fetched, and the same bytes come out every time.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
root=$(dirname "$here")
source=draft-parley-mutual-verification
name=$source-00
out="${1:-$here/build}"
xml2rfc="$root/.venv/bin/uv run --quiet --isolated --no-project --with xml2rfc==3.34.1 xml2rfc --no-network"
python="$root/.venv/bin/python $here/tools/page.py"

if ! command -v kramdown-rfc > /dev/null; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends ruby-kramdown-rfc2629 > /dev/null
fi

mkdir -p "$out"
kramdown-rfc -3 "$here/$source.md" > "$out/$name.v2.xml" 2> "$out/kramdown.log" || { cat "$out/kramdown.log"; exit 1; }
if grep -Ei "broken reference|simplified markup|No link definition" "$out/kramdown.log"; then
  echo "the draft does not build cleanly" >&2
  exit 1
fi
cd "$out"
$python references "$here/refs" "$name.v2.xml"
: > xml2rfc.log
$xml2rfc --v2v3 "$name.v2.xml" -o "$name.xml" 2>> xml2rfc.log || { cat xml2rfc.log; exit 1; }
$xml2rfc --v3 "$name.xml" --text -o "$name.txt" 2>> xml2rfc.log || { cat xml2rfc.log; exit 1; }
$xml2rfc --v3 "$name.xml" --html --no-external-js -o "$name.html" 2>> xml2rfc.log || { cat xml2rfc.log; exit 1; }
$python anchors "$name.html"
# An overfull figure, a reference that leads nowhere: xml2rfc only warns.
if grep -Ei "warning|error" xml2rfc.log; then exit 1; fi
# idnits (npm ci puts it there). Allowed: what it cannot look up offline; its alpha release misreads the
# parent of both reference lists; characters outside ASCII come from the boilerplate.
allowed="POSSIBLE_DOWNREF|UNDEFINED_STATUS|INVALID_REFERENCES_NAME|NON_ASCII_UTF8"
idnits="$root/node_modules/.bin/idnits"
if [ -x "$idnits" ]; then
  "$idnits" "$name.xml" --offline -o simple > idnits.log 2>&1 || true
  grep -q "nits" idnits.log || { cat idnits.log; exit 1; }
  if grep -E "^\[[0-9]+\]" idnits.log | grep -Ev "$allowed"; then exit 1; fi
fi
