#!/usr/bin/env bash
# Runs "digestlint check": annotations and the summary of the step from one
# output, SARIF for code scanning from another. Its status is that of the check.
#
#   DIGESTLINT_PATHS    files and folders, one a line
#   DIGESTLINT_ARGS     further arguments, between blanks; quotes have no meaning
#   DIGESTLINT_FAIL_ON  the least severity that fails the step; may be empty
#   RUNNER_TEMP, GITHUB_OUTPUT
#                       set by the runner
set -euo pipefail

paths=()
while IFS= read -r line; do
  line=${line%$'\r'}
  [ -z "$line" ] || paths+=("$line")
done <<<"${DIGESTLINT_PATHS:-}"

args=(--output github --output "sarif=${RUNNER_TEMP:?}/digestlint.sarif")
[ -z "${DIGESTLINT_FAIL_ON:-}" ] || args+=(--fail-on "$DIGESTLINT_FAIL_ON")
while read -r -a words; do
  args+=(${words[@]+"${words[@]}"})
done <<<"${DIGESTLINT_ARGS:-}"

# A file of an earlier step must not be uploaded as the result of this one.
rm -f "$RUNNER_TEMP/digestlint.sarif"
status=0
digestlint check "${args[@]}" -- ${paths[@]+"${paths[@]}"} || status=$?
{
  echo "status=$status"
  if [ -s "$RUNNER_TEMP/digestlint.sarif" ]; then
    echo "sarif=$RUNNER_TEMP/digestlint.sarif"
  fi
} >>"${GITHUB_OUTPUT:?}"
exit "$status"
