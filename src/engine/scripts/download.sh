# shellcheck shell=sh
# What a job of `re data` runs, in the project's directory: downloads into data/, several at the same time, each into
# <name>.part, which is renamed when it is whole and right. It begins again where an earlier attempt ended.

re_tell() {
  printf 're: %s\n' "$*" >&2
}

# re_download again|keep NAME URL SHA256...: three words for each file; SHA256 is - where none is known. Prints the path of
# each file that is there at the end. Fails when one is not.
re_download() {
  re_again=$1
  shift
  { mkdir -p data && cd data; } || return 1
  if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    re_tell 'this host has neither curl nor wget (Debian: apt-get install curl)'
    return 1
  fi
  # Shells make what they start in the background deaf to Ctrl-C.
  trap 'trap "" TERM; kill 0; exit 130' INT
  re_watch "$@" &
  re_watcher=$!
  re_workers=
  for re_turn in 0 1 2 3; do
    re_work "$re_turn" "$@" &
    re_workers="$re_workers $!"
  done
  re_code=0
  for re_worker in $re_workers; do
    wait "$re_worker" || re_code=1
  done
  kill "$re_watcher" 2>/dev/null
  wait "$re_watcher" 2>/dev/null
  return "$re_code"
}

# Every fourth file, from the one whose turn it is.
re_work() {
  re_turn=$1
  shift
  re_at=0 re_failed=0
  while [ $# -ge 3 ]; do
    [ "$((re_at % 4))" -ne "$re_turn" ] || re_get "$1" "$2" "$3" || re_failed=1
    re_at=$((re_at + 1))
    shift 3
  done
  return "$re_failed"
}

# re_get NAME URL SHA256
re_get() {
  if [ -d "$1" ]; then
    re_tell "data/$1 is a directory"
    return 1
  fi
  if [ -e "$1" ] && [ "$re_again" = keep ] && re_is_right "$1" "$3"; then
    re_tell "data/$1 is there already"
    printf 'data/%s\n' "$1"
    return 0
  fi
  { command exec 8>>"$1.part"; } 2>/dev/null || { re_tell "cannot write data/$1.part"; return 1; }
  if ! flock -n 8; then
    re_tell "data/$1 is being downloaded by another job"
    return 1
  fi
  re_fetch "$1" "$2" "$3"
  set -- "$?"
  exec 8>&-
  return "$1"
}

# What an earlier attempt left may not be the beginning of what the server has now: then all of it is fetched once more.
re_fetch() {
  re_begun=
  [ ! -s "$1.part" ] || re_begun=1
  if ! re_bring "$1.part" "$2" "$3"; then
    [ -n "$re_begun" ] || { re_complain "$1" "$3"; return 1; }
    re_tell "data/$1: beginning anew"
    : >"$1.part"
    re_bring "$1.part" "$2" "$3" || { re_complain "$1" "$3"; return 1; }
  fi
  mv -f "$1.part" "$1" || return 1
  re_length "$1"
  re_tell "data/$1: $re_bytes bytes"
  printf 'data/%s\n' "$1"
}

# As often as it is broken off and has brought something.
re_bring() {
  until re_length "$1"; re_had=$re_bytes; re_transfer "$1" "$2"; do
    re_length "$1"
    [ "$re_bytes" -gt "$re_had" ] || return 1
    re_tell "data/${1%.part}: going on at $re_bytes bytes"
    sleep 1
  done
  re_is_right "$1" "$3"
}

re_complain() {
  if [ "$re_rc" -ne 0 ]; then
    re_tell "data/$1 could not be downloaded"
  else
    re_tell "data/$1.part is not what was asked for: its SHA-256 is not $2"
  fi
}

# re_transfer FILE URL: goes on behind what FILE has. Its end code is in re_rc.
re_transfer() {
  if command -v curl >/dev/null; then
    curl -fsSL -g --retry 3 --proto '=http,https,ftp,ftps' -C - -o "$1" --url "$2"
  else
    wget -q -c -O "$1" -- "$2"
  fi
  re_rc=$?
  return "$re_rc"
}

re_is_right() {
  [ "$2" != - ] || return 0
  if command -v sha256sum >/dev/null; then
    re_sum=$(sha256sum <"$1")
  elif command -v shasum >/dev/null; then
    re_sum=$(shasum -a 256 <"$1")
  else
    re_sum=$(openssl dgst -sha256 -r <"$1")
  fi
  [ "${re_sum%% *}" = "$2" ]
}

re_length() {
  re_bytes=0
  re_words=$(LC_ALL=C ls -lnd -- "$1" 2>/dev/null) || return 0
  # shellcheck disable=SC2086 # the fields of a line
  set -- $re_words
  re_bytes=${5:-0}
}

# How far each is, every few seconds.
re_watch() {
  command exec 9>&- # who watches holds no job
  re_sleep=
  trap '[ -z "$re_sleep" ] || kill "$re_sleep" 2>/dev/null; exit 0' TERM
  while :; do
    sleep 3 &
    re_sleep=$!
    wait "$re_sleep" || return
    re_watch_once "$@"
  done
}

re_watch_once() {
  re_at=0
  while [ $# -ge 3 ]; do
    if [ -s "$1.part" ]; then
      re_length "$1.part"
      eval "re_total=\${re_total_$re_at-}"
      if [ -z "$re_total" ]; then
        re_ask_length "$2"
        eval "re_total_$re_at=\$re_total"
      fi
      # shellcheck disable=SC2154
      if [ "$re_total" -gt 0 ]; then
        re_tell "data/$1: $((re_bytes / 1048576)) of $((re_total / 1048576)) MiB ($((re_bytes * 100 / re_total))%)"
      else
        re_tell "data/$1: $((re_bytes / 1048576)) MiB"
      fi
    fi
    re_at=$((re_at + 1))
    shift 3
  done
}

# In re_total how many bytes the server says it has; 0 when it does not.
re_ask_length() {
  re_total=
  if command -v curl >/dev/null; then
    re_total=$(curl -fsSIL -g -m 10 --proto '=http,https,ftp,ftps' --url "$1" 2>/dev/null |
      tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: *\([0-9][0-9]*\)$/\1/p' | tail -n 1)
  fi
  re_total=${re_total:-0}
}
