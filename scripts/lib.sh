# shellcheck shell=bash
# What scripts/test, scripts/demo and scripts/tidy share. Sourced, never run.

re_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8

# A python or a compiler of the user's (pyenv, conda) may come first in PATH: the packages below are Debian's.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# ccache finds a file that was compiled in another clone.
export CCACHE_BASEDIR=$re_root CCACHE_NOHASHDIR=1

# shellcheck disable=SC2034 # for the scripts that source this
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  c_bold=$'\e[1m' c_red=$'\e[31m' c_dim=$'\e[2m' c_off=$'\e[0m'
else
  c_bold='' c_red='' c_dim='' c_off=''
fi

say() { printf '%s\n' "$*"; }
die() {
  printf '%s%s: %s%s\n' "$c_red" "${0##*/}" "$*" "$c_off" >&2
  exit 1
}

# SECONDS as people say it: 7 s, 3 min 07 s.
duration() {
  if [ "$1" -lt 60 ]; then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_of SECTION...: the lines of these sections of packages.txt.
packages_of() {
  local line section=''
  while read -r line; do
    case $line in
      '' | '#'*) ;;
      '['*']') section=${line:1:-1} ;;
      *) case " $* " in *" $section "*) printf '%s\n' "$line" ;; esac ;;
    esac
  done <"$re_root/scripts/packages.txt" | sort -u
}

# missing_packages SECTION...: the first alternative of each package of which no alternative is installed.
missing_packages() {
  local line alternative found
  while read -r line; do
    found=''
    for alternative in ${line//|/ }; do
      if installed "$alternative"; then found=yes; fi
    done
    [ -n "$found" ] || printf '%s\n' "${line%%|*}"
  done < <(packages_of "$@")
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_packages SECTION...: installs what is missing, and touches nothing where nothing is.
need_packages() {
  local missing had_sshd=''
  command -v dpkg-query >/dev/null || die "this needs Debian 12 (no dpkg-query here); see CONTRIBUTING.md"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "missing: ${missing[*]}; as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "installing with apt-get: ${missing[*]}"
  if installed openssh-server; then had_sshd=yes; fi
  as_root apt-get -q=2 update </dev/null || die "apt-get update failed"
  no_new_daemons
  if ! re_apt_said=$(apt_install "${missing[@]}" 2>&1); then
    allow_new_daemons
    printf '%s\n' "$re_apt_said" | tail -n 30 >&2
    die "apt-get install failed: above is the end of what it said$(boost_advice)"
  fi
  allow_new_daemons
  # Only the program sshd is wanted: whoever had no ssh server before shall have no open port after.
  if [ -z "$had_sshd" ] && installed openssh-server && [ -d /run/systemd/system ]; then
    as_root systemctl --quiet disable ssh.service || true
  fi
}

# --no-remove: what the user has installed stays.
apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q=2 -o Dpkg::Use-Pty=0 install --no-install-recommends \
    --no-remove -y "$@" </dev/null
}

# Debian's python3-scipy needs libboost-dev (1.74), which excludes libboost1.81-dev.
boost_advice() {
  installed libboost1.81-dev || return 0
  printf '\n%s' "python3-sklearn cannot be installed beside libboost1.81-dev, and re needs only its headers: \
apt-get remove libboost1.81-dev, and run this again"
}

# need_boost: the headers of Boost 1.81, unpacked under build/deps where the package is not installed. It is not
# installed, because Debian lets only one version of Boost be, and python3-scipy depends on another.
need_boost() {
  local folder=$re_root/build/deps
  if installed libboost1.81-dev || [ -f "$folder/boost/usr/include/boost/version.hpp" ]; then return 0; fi
  say "unpacking the headers of Boost 1.81 under build/deps"
  mkdir -p "$folder/new"
  (cd "$folder" && apt-get -q=2 download libboost1.81-dev 2>/dev/null) ||
    { as_root apt-get -q=2 update </dev/null && (cd "$folder" && apt-get -q=2 download libboost1.81-dev); } ||
    die "cannot download libboost1.81-dev"
  dpkg -x "$folder"/libboost1.81-dev_*.deb "$folder/new" || die "cannot unpack libboost1.81-dev"
  mv -T "$folder/new" "$folder/boost" && rm -f "$folder"/libboost1.81-dev_*.deb
}

# While policy-rc.d answers 101, a package that is being installed starts no service.
re_policy=/usr/sbin/policy-rc.d
no_new_daemons() {
  re_made_policy=''
  [ ! -e $re_policy ] || return 0
  printf '#!/bin/sh\nexit 101\n' | as_root tee $re_policy >/dev/null
  as_root chmod 755 $re_policy
  re_made_policy=yes
}
allow_new_daemons() {
  if [ -n "${re_made_policy:-}" ]; then as_root rm -f $re_policy; fi
  re_made_policy=''
}
