# shellcheck shell=sh
# Trees of files: what making a snapshot and making a work tree have in common.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

re_snapshot_fail() {
  printf 're: %s\n' "$*" >&2
  return 1
}

# The first line of a command's complaint, for a message of ours.
re_first_line() {
  head -n 1 "$1" 2>/dev/null | cut -c 1-300
}

# In re_absolute a project's directory as an absolute path: a relative one starts at the home.
re_find_absolute() {
  case $1 in
    /*) re_absolute=$1 ;;
    *) re_absolute=$HOME/$1 ;;
  esac
}

# Only directories are made writable: a file's inode may belong to other snapshots too.
re_remove_tree() (
  case $1 in -*) set -- "./$1" ;; esac
  if [ -d "$1" ] && [ ! -h "$1" ]; then
    find "$1" -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
  fi
  rm -rf "$1"
)

# A path inside a tree: relative, no empty, `.` or `..` component.
re_is_inner_path() {
  case /$1/ in
    *//* | */./* | */../*) return 1 ;;
  esac
}
