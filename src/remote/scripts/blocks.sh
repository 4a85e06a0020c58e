# shellcheck shell=sh
# Functions of a ScriptCall, behind transfer.sh: a large file comes in blocks over several channels.
#
# It is put together in .re-partial/NAME.re-TOKEN, beside its place, where rsync keeps what was interrupted, in a directory
# that only this user can enter; it gets its name when it is whole. A file of a sender that is gone is taken over with what
# is in it. Blocks are counted in units of dd's block size, 64 KiB.
# shellcheck disable=SC2154 # re_place is transfer.sh's

re_size_of() {
  # shellcheck disable=SC2046 # the fields of a line; the name is its end
  set -- $(ls -ldn "$1")
  printf '%s' "$5"
}

# re_find_unsent file|directory DESTINATION [PATH SIZE]...: one line for each file that can be sent in blocks: its number,
# from 0. With "file" DESTINATION may be the new name of the one file; $re_trailer says what it is.
# What is a directory, a link or a device there, or has this size already, is rsync's.
re_find_unsent() {
  re_kind=$1
  re_set_place "$2"
  shift 2
  [ ! -d "$re_place" ] || re_kind=directory
  re_trailer=$re_kind
  re_number=0
  while [ $# -ge 2 ]; do
    re_target=$re_place/$1
    [ "$re_kind" = directory ] || re_target=$re_place
    if [ -f "$re_target" ] && [ ! -h "$re_target" ]; then
      [ "$(re_size_of "$re_target")" = "$2" ] || echo "$re_number"
    elif [ ! -e "$re_target" ] && [ ! -h "$re_target" ]; then
      echo "$re_number"
    fi
    re_number=$((re_number + 1))
    shift 2
  done
}

# Sets re_sum to what hashes its input, and re_digest to the name of the hash.
re_choose_sum() {
  re_digest=sha256
  if command -v b2sum; then
    re_sum=b2sum re_digest=blake2b
  elif command -v sha256sum; then
    re_sum=sha256sum
  elif command -v shasum; then
    re_sum='shasum -a 256'
  else
    return 1
  fi >/dev/null 2>&1
}

# The hashes of so many blocks of the file, one a line. re_print_sums FIRST END
re_print_sums() {
  re_at=$1
  while [ "$re_at" -lt "$2" ]; do
    re_text=$(dd if="./$re_data" bs=65536 skip="$((re_at * re_units))" count="$re_units" 2>/dev/null | $re_sum)
    printf '%s\n' "${re_text%% *}"
    re_at=$((re_at + 1))
  done
}

# Goes to the directory of PATH below the current one, which is made, but through no link: rsync would replace it.
# Leaves the last part of the path in re_name.
re_enter_parent() {
  re_name=$1
  while :; do
    case $re_name in
      */*) ;;
      *) return 0 ;;
    esac
    re_step=./${re_name%%/*}
    re_name=${re_name#*/}
    [ ! -h "$re_step" ] || return 1
    [ -d "$re_step" ] || mkdir "$re_step" || return 1
    cd "$re_step" || return 1
  done
}

# Goes to .re-partial, which is made; false when others may enter it.
re_enter_private() {
  [ -d .re-partial ] || (umask 077 && mkdir .re-partial) || [ -d .re-partial ] || return 1
  # shellcheck disable=SC2046 # the fields of a line
  set -- $(ls -ldn .re-partial)
  re_trailer=unsuitable
  case $1 in
    drwx------* | drwx--S---*) ;;
    *) return 1 ;;
  esac
  [ "$3" = "$(id -u)" ] || return 1
  cd .re-partial || return 1
}

# re_on_others COMMAND: with each file that was put together under this name, until it is true.
re_on_others() {
  for re_other in "./$re_name".re-* "./$re_name"; do
    re_suffix=${re_other#"./$re_name"}
    case ${re_suffix#.re-} in
      *[!0-9a-f]*) continue ;; # a longer name's
    esac
    if [ -h "$re_other" ] || [ ! -f "$re_other" ] || [ "$re_other" = "./$re_data" ]; then continue; fi
    "$1" && return 0
  done
  return 1
}

# Takes the file over when nobody holds it. A sender whose connection hangs holds it too: then a copy has to do.
re_take_over() {
  command exec 9>>"$re_other" || return 1
  if flock -n 9; then
    mv -f "$re_other" "./$re_data"
    return
  fi
  re_held=$re_other
  return 1
}

re_remove_other() {
  rm -f "$re_other"
  return 1
}

# Makes the file, holds its lock as descriptor 9 until we end, and cuts off what is too much.
re_open_data() {
  re_held=
  if ! re_on_others re_take_over; then
    [ -z "$re_held" ] || cp "$re_held" "./$re_data" || return 1
    command exec 9>>"./$re_data" && flock -n 9 || return 1
  fi
  re_there=$(re_size_of "./$re_data")
  [ "$re_there" -gt "$re_size" ] || return 0
  dd if=/dev/null of="./$re_data" bs=1 seek="$re_size" 2>/dev/null && re_there=$re_size
}

# busybox has no fractions of a second.
re_set_time() {
  touch -d "$1" "$2" 2>/dev/null && return
  # shellcheck disable=SC2046,SC2086 # the fields of a time
  set -- "$2" $(IFS=-T: && printf '%s ' ${1%.*})
  touch -t "$2$3$4$5$6.$7" "$1"
}

# Gives the file its name, and removes what else there is of it.
re_publish() {
  re_trailer=changed
  [ "$(re_size_of "./$re_data")" = "$re_size" ] || return 1
  re_trailer=failed
  re_set_time "$2" "./$re_data" && chmod "$1" "./$re_data" || return 1
  if [ -d "../$re_name" ]; then
    echo "a directory is in its place" >&2
    return 1
  fi
  mv -f "./$re_data" "../$re_name" || return 1
  re_on_others re_remove_other
  cd .. && rmdir .re-partial 2>/dev/null
  re_trailer=whole
}

# re_assemble DIRECTORY PATH SIZE TOKEN UNITS: holds the file while its blocks come. Says the name of the hash, the hashes
# of the blocks that are there, and "ready"; then waits for "commit MODE TIME" (TIME in UTC). $re_trailer: whole; changed, when
# somebody else has made another file of it; failed; unsuitable, when this host cannot do it; no-directory.
re_assemble() {
  LC_ALL=C TZ=UTC0
  export LC_ALL TZ
  re_set_place "$1"
  re_size=$3 re_units=$5
  re_trailer=unsuitable
  re_choose_sum && command -v flock >/dev/null 2>&1 || return 1
  re_trailer=no-directory
  mkdir -p "$re_place" && cd "$re_place" || return 1
  re_trailer=unsuitable
  re_enter_parent "$2" 2>/dev/null || return 1
  re_trailer=no-directory
  re_data=$re_name.re-$4
  re_enter_private || return 1
  umask 077
  re_open_data 2>/dev/null || return 1
  echo "$re_digest"
  re_print_sums 0 "$(((re_there + re_units * 65536 - 1) / (re_units * 65536)))"
  echo ready
  re_trailer=left
  read -r re_word re_mode re_time && [ "$re_word" = commit ] || return 1
  re_publish "$re_mode" "$re_time"
}

# re_write_blocks DIRECTORY PATH TOKEN UNITS FIRST END: blocks of the file, from standard input; then their hashes, as they
# are in the file. $re_trailer: gone, when the file is somebody else's now; failed.
re_write_blocks() {
  re_set_place "$1"
  re_units=$4
  re_trailer=gone
  case $2 in
    */*) re_place=$re_place/${2%/*} ;;
  esac
  cd "$re_place/.re-partial" || return 1
  re_data=${2##*/}.re-$3
  [ -f "./$re_data" ] && re_choose_sum || return 1
  re_trailer=failed
  re_said=$(LC_ALL=C dd of="./$re_data" bs=65536 seek="$(($5 * re_units))" conv=notrunc 2>&1) || {
    printf '%s\n' "$re_said" >&2
    return 1
  }
  # shellcheck disable=SC2034 # the frame around the call prints it
  re_trailer=
  re_print_sums "$5" "$6"
}
