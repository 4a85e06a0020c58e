# shellcheck shell=sh
# What becomes the job's process. Its supervisor starts it in the job's directory, in a session of its own: it claims the job,
# makes its work tree, writes down who it is, and runs the command in its own place.
# shellcheck disable=SC2034,SC2154,SC3013 # the variables of `plan` and of other files; -ef came with POSIX.1-2024

# re_say TEXT: a line in the job's log.
re_say() {
  printf 're: %s\n' "$1" >>log
}

# re_answer TEXT: to who launched the job, once.
re_answer() {
  { printf '%s\n' "$1" >&5; } 2>/dev/null
  exec 5>&-
}

# re_give_up REASON: of a job that was claimed. Its supervisor sees that it has not begun, and ends it.
re_give_up() {
  [ -z "$1" ] || re_say "$1"
  exit 125
}

# re_make_ahead SNAPSHOT PROJECT SHARED...: a place that waits for a job has the work tree that the last one had, if that is
# small. In re_made what it was made of.
re_make_ahead() {
  re_has_small_tree "$1" || return 0
  if re_make_tree '' "$@" >>log 2>&1; then
    re_join_lines "$@"
    re_made=$re_lines
  else
    true >log
  fi
}

# re_await_job: until whoever made this place gives it to a job, or goes.
re_await_job() {
  re_word=
  IFS= read -r re_word <&6
  exec 6<&-
  [ "$re_word" != no ] && re_has_supervisor
}

# Whether somebody will write down how the job ends. Ours is in our directory; /proc may not say so.
re_has_supervisor() {
  [ "/proc/$PPID/cwd" -ef . ] || { re_ticks "$$" && [ "$re_parent" = "$PPID" ]; }
} 2>/dev/null

# re_has_small_tree SNAPSHOT
re_has_small_tree() {
  re_entries=
  { read -r re_entries <"$HOME/.re/snapshots/$1/outline"; } 2>/dev/null
  [ -n "$re_entries" ] && [ "$re_entries" -le 64 ]
}

# re_make_tree CONTINUED SNAPSHOT PROJECT SHARED...: what it starts holds no lock: a copy that goes on after our death is not
# the job.
re_make_tree() {
  re_continued=$1 re_source=$HOME/.re/snapshots/$2/tree re_for=$3
  shift 3
  re_make_work "$PWD" "$re_source" "$re_for" "$re_continued" "$@" 9>&-
}

re_join_lines() {
  re_lines=
  for re_word do
    re_lines="$re_lines$re_word
"
  done
}

# re_is_made SNAPSHOT PROJECT SHARED...: whether the work tree is there as it has to be.
re_is_made() {
  re_join_lines "$@"
  [ -z "$re_continue" ] && [ "$re_made" = "$re_lines" ] || return 1
  shift 2
  for re_shared do
    [ -d "work/$re_shared" ] || return 1
  done
}

# re_make_place SHARED...: the directory to run in.
re_make_place() {
  [ "$re_work" = own ] || return 0
  re_fault work.make || return 1
  set -- "$re_snapshot" "$re_project" "$@"
  ! re_is_made "$@" || return 0
  [ -z "$re_made" ] || re_remove_tree work || return 1
  if [ -n "$re_continue" ] || ! re_has_small_tree "$1"; then re_answer STARTING; fi # the copy may take long
  re_make_tree "${re_continue:+"$HOME/.re/jobs/$re_continue"}" "$@" >>log 2>&1
}

# Whether the job is ours to run: the directory is that of the job, and of all who try one makes the file (O_EXCL).
re_claim() {
  re_fault claim.make || return 1
  [ . -ef "$HOME/.re/jobs/$re_id" ] && cd "$HOME/.re/jobs/$re_id" || return 1
  set -C
  { true >started; } 2>/dev/null
  set -- "$?"
  set +C
  return "$1"
}

# The commit and the claim are on the disk before the command begins and before that is answered, or a crash of the host
# would let it run twice. A job whose streams the client has begins at once: it belongs to this boot (launch.sh).
re_write_out() {
  re_fault claim.claimed || return 1
  [ "$re_streams" != split ] || return 0
  re_diff=git.diff
  [ -e git.diff ] || re_diff=
  sync plan spec $re_diff . ..
}

re_open_streams() {
  case $re_streams in
    split) exec >>log 2>>err ;;
    merged) exec </dev/null >>log 2>&1 ;;
  esac
}

# re_run HOW UMASK SHELL FACTS [PLACE SNAPSHOT PROJECT SHARED...]: as re_supervise has them.
re_run() {
  trap : PIPE # who asked may have gone; a handler: the job begins with the default
  umask 077
  re_how=$1 re_user_umask=$2 re_facts=$4 re_made=
  re_ticks "$$"
  if [ "$re_how" = ready ]; then
    shift 5
    re_make_ahead "$@"
    re_await_job && [ -s spec ] || exit 0
  fi
  re_fault work.plan || exit 0
  # shellcheck disable=SC1091
  . ./plan # sets re_id, re_work, re_streams, re_snapshot, re_project, re_continue, re_command, re_environment, and as $@ the
  # shared directories
  re_claim || exit 0
  re_write_out || re_give_up 'cannot write down that the job begins'
  [ ! -e kill.req ] || exit 143 # written before the claim: it never starts
  re_make_place "$@" || re_give_up 'the job was not started'
  re_open_streams
  re_begin
}

# What the job is, is written before its command begins. One write of a line; who reads less than a line takes it for none.
re_begin() {
  # shellcheck disable=SC2086 # words
  set -- $re_facts
  re_read_clock "$6" "$7"
  re_fault run.record || exit 125
  if ! printf 'pid=%s start=%s boot=%s pidns=%s init=%s host=%s uid=%s began=%s job=%s\n' "$$" "$re_start" "$1" "$2" \
    "$3" "$4" "$5" "$re_now" "$re_id" >run; then
    echo 're: cannot write down the process of the job; it was not started' >&2
    exit 125
  fi
  re_fault run.recorded || exit 125
  [ ! -e kill.req ] || exit 143
  re_answer "STARTED $$"
  if [ "$re_work" = own ]; then
    cd work || exit 125
  else
    case $re_project in
      /*) cd "$re_project" || exit 125 ;;
      *) cd "$HOME/$re_project" || exit 125 ;;
    esac
  fi
  umask "$re_user_umask"
  unset RE_SUPERVISOR RE_RUNNER
  set -- "$re_command"
  eval "$re_environment" # may set any variable, but not this command
  exec /bin/sh -c "$1"
}

re_run "$@"
