#!/usr/bin/env bash
# Runs a script in a fresh clone of each repository of a list and commits what it
# changed. One that fails stops no other. README.md has the whole recipe.
set -euo pipefail

usage() {
  cat >&2 <<'USAGE'
usage: each.sh [--clones DIR] [--push] [--open github|gitlab] SCRIPT LIST

  SCRIPT        is run in the top folder of each clone
  LIST          names a repository a line, as git clone takes it; # is a comment
  --clones DIR  keep the clones in this new folder, to look at them
  --push        push the branch of each clone that changed ($BRANCH, digestlint/pin)
  --open SITE   with --push: open a pull request (gh has to be logged in), or a
                merge request
USAGE
  exit 2
}

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
message=$here/message.txt
branch=${BRANCH:-digestlint/pin}
clones='' push='' open=''
while [ $# -gt 0 ]; do
  case $1 in
  --clones) clones=${2-} && shift 2 || usage ;;
  --open) open=${2-} && shift 2 || usage ;;
  --push) push=yes && shift ;;
  -*) usage ;;
  *) break ;;
  esac
done
[ $# -eq 2 ] || usage
case $open:$push in
: | :yes | github:yes | gitlab:yes) ;;
*) usage ;;
esac
# The script is run elsewhere.
script=$(cd -- "$(dirname -- "$1")" && pwd -P)/$(basename -- "$1")
list=$2
if [ ! -x "$script" ] || [ ! -r "$list" ]; then
  echo "each.sh: $script has to be a program, and $list a file" >&2
  exit 2
fi

if [ -n "$clones" ]; then
  mkdir -- "$clones"
  clones=$(cd -- "$clones" && pwd -P)
else
  clones=$(mktemp -d)
  trap 'rm -rf -- "$clones"' EXIT
fi

say() { printf 'each.sh: %s\n' "$*" >&2; }

# change does the work for one repository.
change() {
  local repository=$1 clone=$2 existing
  git clone -q --depth 1 --no-checkout -- "$repository" "$clone"
  cd -- "$clone"
  # The bytes of the repository, and nothing else: no line endings converted, no
  # large files fetched. Otherwise a commit could hold more than the digests.
  echo '* -text -filter -ident -working-tree-encoding' >.git/info/attributes
  git checkout -q

  if [ -n "$push" ]; then
    existing=$(git ls-remote origin "refs/heads/$branch")
    if [ -n "$existing" ]; then
      say "$repository: there is a branch $branch already; left alone"
      return
    fi
  fi
  "$script"
  if git diff --quiet; then
    say "$repository: nothing to change"
    return
  fi
  git checkout -q -b "$branch"
  git commit -q --all --file "$message"
  say "$repository: committed:$(git show --shortstat --format=)"
  if [ -z "$push" ]; then return; fi

  if [ "$open" = gitlab ]; then
    git push -q -o merge_request.create origin "HEAD:refs/heads/$branch"
  else
    git push -q origin "HEAD:refs/heads/$branch"
  fi
  if [ "$open" = github ]; then
    tail -n +3 "$message" | gh pr create --head "$branch" --title "$(head -n 1 "$message")" --body-file -
  fi
}

failed=() n=0
while IFS= read -r repository || [ -n "$repository" ]; do
  case $repository in '' | '#'*) continue ;; esac
  n=$((n + 1))
  clone=$clones/$n-$(basename -- "$repository" .git)
  # In a condition bash would not stop at the first command that fails.
  set +e
  (
    set -e
    change "$repository" "$clone"
  ) </dev/null # standard input is the list
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    say "$repository: failed with status $status; not committed, or not pushed"
    failed+=("$repository")
  fi
done <"$list"

say "$n repositories, ${#failed[@]} failed"
if [ "${#failed[@]}" -gt 0 ]; then
  printf '  %s\n' "${failed[@]}" >&2
  exit 1
fi
