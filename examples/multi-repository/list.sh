#!/usr/bin/env bash
# Prints the images of the clone that is the working directory, one a line,
# without those that are pinned. Offline; changes nothing.
set -euo pipefail

images=$("${DIGESTLINT:-digestlint}" refs --output list)
printf '%s\n' "$images" | sed -e '/@/d' -e '/^$/d'
