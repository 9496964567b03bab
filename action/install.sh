#!/usr/bin/env bash
# Installs a release of digestlint, and adds its folder to the PATH of the steps
# that follow. The archive has to have the checksum that its release names, and,
# where gh can tell, to have been built by the release workflow of this
# repository.
#
#   DIGESTLINT_VERSION   1.2.3 or v1.2.3; by default that of this action
#   DIGESTLINT_RELEASES  where releases lie, for mirrors; default below
#   DIGESTLINT_ATTESTED  false: do not ask for the attestation
#   RUNNER_OS, RUNNER_ARCH, RUNNER_TEMP, GITHUB_PATH
#                        set by the runner
set -euo pipefail

repository=digestlint/digestlint
releases=${DIGESTLINT_RELEASES:-https://github.com/$repository/releases/download}
version=${DIGESTLINT_VERSION:-$(cat "$(dirname "${BASH_SOURCE[0]}")/version")}
version=${version#v}

fail() {
  printf '::error title=digestlint::%s\n' "$1" >&2
  exit 2
}

# "latest" is what this tool is against.
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
  fail "version has to be that of a release, such as 0.1.0, and nothing that moves"

case ${RUNNER_OS:-} in
  Linux) os=linux ;;
  macOS) os=darwin ;;
  Windows) os=windows ;;
  *) fail "no release is for this operating system" ;;
esac
case ${RUNNER_ARCH:-} in
  X64) arch=amd64 ;;
  ARM64) arch=arm64 ;;
  *) fail "no release is for this processor" ;;
esac
archive=digestlint_${version}_${os}_${arch}.tar.gz

dir=${RUNNER_TEMP:?}/digestlint/$version
mkdir -p "$dir"
cd "$dir"

# Redirects must not lead to another scheme than that which was asked for.
download() {
  curl --fail --silent --show-error --location --retry 3 --proto "=${releases%%:*}" --output "$1" "$releases/v$version/$1" ||
    fail "$1 of release v$version could not be downloaded: is there such a release?"
}

sum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

download checksums.txt
want=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' checksums.txt)
[ -n "$want" ] || fail "checksums.txt of release v$version does not name $archive"
download "$archive"
got=$(sum "$archive")
[ "$got" = "$want" ] || fail "$archive has the checksum $got, and not $want: it is not what was released"

if [ "${DIGESTLINT_ATTESTED:-true}" = true ]; then
  if command -v gh >/dev/null; then
    gh attestation verify "$archive" --repo "$repository" --signer-workflow "$repository/.github/workflows/release.yml" >/dev/null ||
      fail "$archive has no valid attestation of the release workflow of $repository"
  else
    echo '::notice title=digestlint::gh is not installed: the checksum was compared, the attestation was not verified'
  fi
fi

tar -xzf "$archive"
rm "$archive"
printf '%s\n' "$dir" >>"${GITHUB_PATH:?}"
