# Functions of a ScriptCall (include/re/remote/host.hpp): they return, they do not exit. Paths are the user's:
# relative to the home directory, where a login begins; "~/x" means the same as x.

# Sets re_place to the path in a form that begins neither with '-' nor with '~'.
re_set_place() {
  case $1 in
    \~) re_place=$HOME ;;
    \~/*) re_place=$HOME/${1#\~/} ;;
    /*) re_place=$1 ;;
    *) re_place=./$1 ;;
  esac
}

# re_rsync_receiver make|preview DIRECTORY ARGUMENT...: rsync's server, in the directory.
# $re_trailer names what went wrong before rsync ran: no-rsync, no-directory.
re_rsync_receiver() {
  re_mode=$1
  re_set_place "$2"
  shift 2
  command -v rsync >/dev/null 2>&1 || { re_trailer=no-rsync; return 127; }
  re_empty=
  if [ "$re_mode" = make ]; then
    mkdir -p "$re_place" || { re_trailer=no-directory; return 1; }
  elif ! [ -d "$re_place" ]; then
    re_empty=$(mktemp -d) || { re_trailer=no-directory; return 1; }
    re_place=$re_empty
  fi
  cd "$re_place" || { re_trailer=no-directory; return 1; }
  rsync "$@"
  set -- "$?"
  [ -z "$re_empty" ] || { cd / && rmdir "$re_empty"; }
  return "$1"
}

# re_rsync_sender NAME COUNT DIRECTORY... ARGUMENT...: rsync's server, in the first of the directories that has the name, a
# dangling link too; without a name, that exists. $re_trailer is that directory's number, from 0, or "none", or no-rsync or
# no-directory.
re_rsync_sender() {
  re_name=$1 re_count=$2 re_trailer=none re_number=0
  shift 2
  while [ "$re_number" -lt "$re_count" ]; do
    if [ "$re_trailer" = none ]; then
      re_set_place "$1"
      if [ -e "$re_place/$re_name" ] || [ -L "$re_place/$re_name" ]; then re_trailer=$re_number; fi
      [ "$re_trailer" = none ] || re_found=$re_place
    fi
    re_number=$((re_number + 1))
    shift
  done
  [ "$re_trailer" != none ] || return 1
  command -v rsync >/dev/null 2>&1 || { re_trailer=no-rsync; return 127; }
  cd "$re_found" || { re_trailer=no-directory; return 1; }
  rsync "$@"
}

# re_is_directory PATH: 0 when it is one.
re_is_directory() {
  re_set_place "$1"
  [ -d "$re_place" ]
}

# re_list_names LEAF DIRECTORY...: the entries that begin with LEAF in each directory, a directory's with a '/'.
re_list_names() {
  re_leaf=$1
  re_count=0
  shift
  for re_directory; do
    re_set_place "$re_directory"
    for re_entry in "$re_place""$re_leaf"*; do
      re_name=${re_entry##*/}
      case $re_name in
        *"
"*) continue ;;
      esac
      if [ -d "$re_entry" ]; then
        printf '%s/\n' "$re_name"
      elif [ -e "$re_entry" ] || [ -L "$re_entry" ]; then
        printf '%s\n' "$re_name"
      fi
      re_count=$((re_count + 1))
      [ "$re_count" -lt 1000 ] || return 0
    done
  done
}
