#!/bin/sh
# Builds the draft offline: spec/build/*.xml, .txt, .html. Needs kramdown-rfc (Debian: ruby-kramdown-rfc2629)
# and xml2rfc (PyPI); runs idnits where it is installed. The date is fixed, so the bytes are too.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
source=draft-parley-mutual-verification
name=$source-00
out="${1:-$here/build}"
mkdir -p "$out"
kramdown-rfc -3 "$here/$source.md" > "$out/$name.v2.xml" 2> "$out/kramdown.log" || { cat "$out/kramdown.log"; exit 1; }
if grep -Ei "broken reference|simplified markup|No link definition" "$out/kramdown.log"; then
  echo "the draft does not build cleanly" >&2
  exit 1
fi
# References stand in spec/refs: nothing is fetched, and one that is missing is an error.
python3 - "$here/refs" "$out/$name.v2.xml" << 'END'
import pathlib, re, sys
refs, page = map(pathlib.Path, sys.argv[1:])
text = re.sub(r"<!ENTITY RFC\d+ SYSTEM[^>]*>\n?", "", page.read_text())
def inline(found):
    return (refs / f"reference.RFC.{found[1]}.xml").read_text().partition("?>")[2]
text = re.sub(r"&RFC(\d+);", inline, text)
text = re.sub(r"<date[^>]*/>", '<date year="2026" month="November" day="25"/>', text, count=1)
page.write_text(text)
END
cd "$out"
xml2rfc -q --v2v3 -N "$name.v2.xml" -o "$name.xml"
xml2rfc -q --v3 -N "$name.xml" --text -o "$name.txt"
xml2rfc -q --v3 -N "$name.xml" --html -o "$name.html"
# Allowed: what idnits cannot look up offline; its alpha release misreads the parent of both reference lists;
# characters outside ASCII come from the boilerplate.
allowed="POSSIBLE_DOWNREF|UNDEFINED_STATUS|INVALID_REFERENCES_NAME|NON_ASCII_UTF8"
if command -v idnits > /dev/null; then
  idnits "$name.xml" --offline -o simple > idnits.log 2>&1 || true
  grep -q "nits" idnits.log || { cat idnits.log; exit 1; }
  if grep -E "^\[[0-9]+\]" idnits.log | grep -Ev "$allowed"; then exit 1; fi
fi
