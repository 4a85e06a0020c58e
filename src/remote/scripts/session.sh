# What `re ssh` runs: a shell of the user's own, or one command, in the project's directory; no job. Functions of a
# ScriptCall (include/re/remote/host.hpp) but for re_session, which replaces the shell and never returns.

# re_go DIRECTORY: into it (absolute, or below the home), else the home; nothing for none.
re_go() {
  [ -n "$1" ] || return 0
  case $1 in
    /*) re_place=$1 ;;
    *) re_place=$HOME/$1 ;;
  esac
  cd "$re_place" 2>/dev/null && return
  if [ -d "$re_place" ]; then
    printf 're: %s cannot be entered, this is the home directory\n' "$1" >&2
  else
    printf 're: %s is not there yet, this is the home directory\n' "$1" >&2
  fi
  cd "$HOME" || return
}

# The login shell, as one where it has the option. No other shell than these is known to have -l.
re_user_shell() {
  re_shell=${SHELL:-/bin/sh}
  [ -x "$re_shell" ] || re_shell=/bin/sh
  case ${re_shell##*/} in
    bash | zsh | fish | ksh* | mksh | dash | ash | sh | tcsh | csh) exec "$re_shell" -l ;;
  esac
  exec "$re_shell"
}

# re_session DIRECTORY [COMMAND [ARGUMENT...]]
re_session() {
  re_go "$1"
  shift
  [ "$#" -eq 0 ] || exec "$@"
  re_user_shell
}

# re_session_run DIRECTORY [COMMAND [ARGUMENT...]]: the same without a terminal.
re_session_run() {
  re_go "$1"
  shift
  if [ "$#" -eq 0 ]; then (re_user_shell); else "$@"; fi
}
