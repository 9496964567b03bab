#!/usr/bin/env bash
# Pins the clone that is the working directory to the digests of the file
# $DIGESTS. Offline. A failure leaves the clone as it may be: the caller throws
# it away.
set -euo pipefail

case ${DIGESTS:-} in
/*) ;;
*)
  # The working directory is the clone, so a relative name would mean a file of
  # that repository.
  echo 'pin.sh: set DIGESTS to the absolute name of the file of digests' >&2
  exit 2
  ;;
esac

status=0
"${DIGESTLINT:-digestlint}" pin --digests "$DIGESTS" || status=$?
case $status in
0) ;;
1) echo 'pin.sh: what is listed above has to be pinned by hand; the rest is pinned' >&2 ;;
*) exit "$status" ;;
esac
