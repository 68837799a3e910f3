#!/bin/sh
# Installs the Debian packages that tests use, where they are missing and this user may: a browser and its
# driver (the report is looked at in a real one), Node.js (the second recomputation), bubblewrap (boxes),
# E, Spin and a C compiler (the formal models).
set -eu
missing=""
command -v chromedriver >/dev/null 2>&1 || missing="$missing chromium chromium-driver"
command -v node >/dev/null 2>&1 || missing="$missing nodejs npm"
command -v bwrap >/dev/null 2>&1 || missing="$missing bubblewrap"
command -v eprover >/dev/null 2>&1 || missing="$missing eprover"
command -v spin >/dev/null 2>&1 || missing="$missing spin"
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "note: no apt-get here; tests that need$missing are skipped" >&2
  exit 0
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
    echo "note: install$missing to run every test; those that need them are skipped" >&2
    exit 0
  fi
  as_root="sudo -n"
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
