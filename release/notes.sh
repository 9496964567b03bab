#!/usr/bin/env bash
# Prints the section of CHANGELOG.md on a release, and fails where there is none,
# or the action names another release.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1:?usage: release/notes.sh vVERSION}
version=${tag#v}
if [ "$version" != "$(cat action/version)" ]; then
  echo "release/notes.sh: the tag is $tag, action/version has $(cat action/version)" >&2
  exit 1
fi
notes=$(awk -v head="## [$version]" 'index($0, "## ") == 1 || /^\[[^]]*\]: / { on = index($0, head) == 1; next } on' CHANGELOG.md)
if [ -z "${notes//[[:space:]]/}" ]; then
  echo "release/notes.sh: CHANGELOG.md has no section on $version" >&2
  exit 1
fi
printf '%s\n' "$notes"
