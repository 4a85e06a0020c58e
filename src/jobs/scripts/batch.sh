# shellcheck shell=sh
# Many submissions in one message: they are written side by side, brought to the disk at once, and committed by one process.
# Goes behind launch.sh. Repeated, it commits what is not there yet.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# re_launch_batch SHELL SNAPSHOT STARTER DIFF [ID SPEC PLAN]...
#   As re_launch; STARTER is the text of the functions that start a job; DIFF is kept with the first job. The jobs have
#   /dev/null as input.
# The trailer: COMMITTED, CONFLICT, NEEDSNAPSHOT, NOTOOL <name>, FAILED <what>.
re_launch_batch() {
  re_shell=$1 re_snapshot=$2 re_starter=$3 re_diff=$4
  shift 4
  re_ready || return 1
  re_find_facts
  re_trailer='FAILED make the directory of the jobs'
  re_fault batch.mkdir || return 1
  mkdir -p "$HOME/.re/jobs" && cd "$HOME/.re/jobs" || return 1
  re_trailer='FAILED lock the directory of the jobs'
  command exec 8<. && re_lock 8 2000 || return 1
  re_batch=.batch.$re_nonce
  re_submit_batch "$@"
  set -- "$?" "$@"
  [ ! -e "$re_batch" ] || rm -rf "$re_batch"
  exec 8<&-
  [ "$1" = 0 ] || return 1
  re_start_batch "$@"
  re_trailer=COMMITTED
}

re_submit_batch() {
  re_choose_new "$@" || return 1
  [ -n "$re_new" ] || return 0
  re_trailer='FAILED write the jobs'
  re_fault batch.write || return 1
  # shellcheck disable=SC2086 # ids
  (mkdir "$re_batch" && cd "$re_batch" && mkdir $re_new) || return 1
  re_write_batch "$@" || return 1
  # After the plans, which name it: `re clean` takes a snapshot away before it looks through the plans.
  if [ -n "$re_snapshot" ] && ! [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_commit_batch
}

# In re_new the ids that are not here yet. What is here must be the same; what `re clean` has removed is not made again.
re_choose_new() {
  re_new=
  while [ $# -ge 3 ]; do
    if [ -e "$1/spec" ]; then
      re_trailer=CONFLICT
      [ "$(cat "$1/spec" && echo .)" = "$2." ] || return 1
    elif ! [ -e "$HOME/.re/removed/$1" ]; then
      re_new="$re_new $1"
    fi
    shift 3
  done
}

re_write_batch() {
  while [ $# -ge 3 ]; do
    case "$re_new " in
      *" $1 "*)
        re_write_one "$re_batch/$1" "$2" "$3" || return 1
        re_diff=
        ;;
    esac
    shift 3
  done
}

# re_write_one DIRECTORY SPEC PLAN
re_write_one() {
  printf '%s' "$3" >"$1/plan" && printf '%s' "$2" >"$1/spec" || return 1
  if [ -n "$re_diff" ]; then printf '%s' "$re_diff" >"$1/git.diff" || return 1; fi
  re_touch "$1/log" "$1/sup.lock" "$1/job.lock" "$1/exit.pending"
}

# A directory appears with all that is in it: its rename is the commit. Several syncs at a time share what the disk does.
# shellcheck disable=SC2086 # ids
re_commit_batch() {
  re_fault batch.sync || return 1
  (
    cd "$re_batch" || exit 1
    for re_id in $re_new; do printf '%s/plan %s/spec\n' "$re_id" "$re_id"; done | xargs -P 8 -n 64 sync
  ) || return 1
  re_fault batch.commit || return 1
  (cd "$re_batch" && mv $re_new ..) || return 1
  re_fault batch.committed || return 1
  sync .
}

# One process starts them one after the other: a thousand at once would be a load that no host deserves.
re_start_batch() {
  RE_STARTER=$re_starter RE_SUPERVISOR=$re_supervisor RE_RUNNER=$re_runner
  export RE_STARTER RE_SUPERVISOR RE_RUNNER
  shift
  re_ids=
  while [ $# -ge 3 ]; do
    re_ids="$re_ids $1"
    shift 3
  done
  # shellcheck disable=SC2016,SC2086 # ids
  set -- "$re_shell" -c 'eval "$RE_STARTER"' re-batch "$re_shell" "$re_user_umask" "$re_facts" $re_ids
  re_detach "$@" </dev/null >/dev/null
  unset RE_STARTER RE_SUPERVISOR RE_RUNNER
}
