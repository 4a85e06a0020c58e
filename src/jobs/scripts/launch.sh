# shellcheck shell=sh
# Submission: idempotent. Killed anywhere it leaves nothing that runs, or a committed job.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# re_launch ID TOKEN SHELL SPEC CMD ENV PLAN DIFF SNAPSHOT INPUT SUPERVISOR [PATCH...]
#   TOKEN is new at every attempt; SNAPSHOT is empty where none is needed; INPUT is "fifo", "null" or
#   "terminal"; SUPERVISOR is the text of supervisor.sh and what it needs; PATCH is what re_patch_snapshot (patch.sh)
#   takes behind the snapshot's name, to make the snapshot when it is missing.
# The trailer: STARTED <pid>, EXITED <code>, COMMITTED, LOST, CONFLICT, NEEDSNAPSHOT, NOTOOL <name>,
# FAILED <what>.
re_launch() {
  re_id=$1 re_token=$2 re_shell=$3 re_spec=$4 re_cmd=$5 re_env=$6 re_plan=$7 re_diff=$8 re_snapshot=$9
  shift 9
  re_input=$1 re_supervisor=$2
  shift 2
  re_ready || return 1
  re_job=$HOME/.re/jobs/$re_id
  if ! [ -e "$re_job/spec" ] && [ -n "$re_snapshot" ] && ! re_get_snapshot "$@"; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_here
  re_submit || return 1
  if [ "$re_input" = terminal ]; then
    re_prepare_terminal
    return
  fi
  re_start_supervisor
  exec 8<&-
  re_report
}

# re_get_snapshot PATCH...: whether the snapshot is there now.
re_get_snapshot() {
  if [ $# -gt 0 ]; then
    re_patch_snapshot "$re_snapshot" "$@"
  else
    [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]
  fi
}

# re_resume ID TOKEN SHELL SUPERVISOR: starts a job that was committed and whose start never came. A terminal's job
# begins with its terminal, and not without it.
re_resume() {
  re_token=$2 re_shell=$3 re_input=null re_supervisor=$4
  re_ready || return 1
  re_enter "$1" || return 1
  re_here
  re_trailer=COMMITTED
  if [ -e started ] || [ -e terminal ]; then return; fi
  re_trailer='FAILED lock the job directory'
  command exec 8<. && re_lock 8 2000 || return 1
  re_start_supervisor
  exec 8<&-
  re_report
}

re_ready() {
  re_user_umask=$(umask)
  umask 077
  trap : HUP PIPE # handlers, not '': an ignored signal would be ignored in the job, too
  re_require_tools || return 1
  unset RE_JOB_ID # of a job that submits another one
}

re_require_tools() {
  for re_tool in flock setsid tail ln mkfifo; do
    command -v "$re_tool" >/dev/null && continue
    re_trailer="NOTOOL $re_tool"
    return 1
  done
  [ -r /proc/self/stat ] && return
  re_trailer='NOTOOL /proc'
  return 1
}

# The job is committed; who runs `terminal` on a pty starts it there (supervisor.sh). That shell leads the session and
# dies when the terminal goes; its death is what sends SIGHUP to the job.
re_prepare_terminal() {
  re_trailer='FAILED write what starts the job'
  re_fault launch.terminal || return 1
  printf '%s' "$re_supervisor" >supervisor || return 1
  printf 'set -- %s supervise %s %s %s\n' "$re_shell" "$re_token" "$re_user_umask" "$re_shell" >terminal.tmp || return 1
  cat >>terminal.tmp <<'end' || return 1
cd "${0%/*}" || exit 125
trap : INT QUIT TERM
RE_SUPERVISOR=$(cat supervisor && echo .)
RE_SUPERVISOR=${RE_SUPERVISOR%.}
export RE_SUPERVISOR
re_shell=$1
shift
"$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job "$@"
cat log >&2
re_code=125
for re_file in exit.[0-9]*; do
[ -e "$re_file" ] && re_code=${re_file#exit.}
done
exit "${re_code%%.*}"
end
  mv terminal.tmp terminal || return 1
  re_trailer=COMMITTED
}

# Makes the directory, or finds that it holds this very submission already.
re_submit() {
  re_trailer='FAILED make the job directory'
  re_fault launch.mkdir || return 1
  mkdir -p "$re_job" && cd "$re_job" || return 1
  re_trailer='FAILED lock the job directory'
  re_fault launch.lock || return 1
  command exec 8<. && re_lock 8 2000 || return 1
  if [ -e spec ]; then
    re_compare
  elif [ -e "$HOME/.re/removed/$re_id" ]; then # it ended, and `re clean` removed it
    cd / && rmdir "$re_job"
    re_trailer=LOST
    return 1
  else
    re_trailer='FAILED write the job'
    re_write
  fi
}

re_compare() {
  re_trailer=CONFLICT
  [ "$(cat spec && echo .)" = "$re_spec." ] && [ "$(cat cmd && echo .)" = "$re_cmd." ] &&
    [ "$(cat env && echo .)" = "$re_env." ]
}

# re_touch FILE...: not with `:`, for a special builtin's failed redirection ends the shell (POSIX 2.8.1).
re_touch() {
  for re_file do
    true >>"$re_file" || return 1
  done
}

# The rename of spec commits; all before it is on the disk by then.
re_write() {
  re_fault launch.cmd || return 1
  printf '%s' "$re_cmd" >cmd || return 1
  re_fault launch.env || return 1
  printf '%s' "$re_env" >./env || return 1
  re_fault launch.plan || return 1
  printf '%s' "$re_plan" >plan || return 1
  re_fault launch.diff || return 1
  printf '%s' "$re_diff" >git.diff || return 1
  re_fault launch.streams || return 1
  re_touch log sup.lock job.lock exit.pending || return 1
  if [ "$re_input" = fifo ]; then
    re_touch err && { [ -p stdin ] || mkfifo stdin; } || return 1
  fi
  # After the plan, which names it: `re clean` takes a snapshot away before it looks through the plans.
  if [ -n "$re_snapshot" ] && ! [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_fault launch.spec || return 1
  printf '%s' "$re_spec" >spec.tmp || return 1
  re_fault launch.sync || return 1
  sync cmd env plan git.diff exit.pending spec.tmp || return 1
  re_fault launch.commit || return 1
  mv spec.tmp spec || return 1
  re_fault launch.committed || return 1
  sync . .. || return 1
}

# The supervisor's text travels in a variable, so that `ps` shows a short line. `setsid -f` forks by itself; a
# shell's & would have the job ignore SIGINT for ever (POSIX 2.11), so it is the last resort (busybox).
re_start_supervisor() {
  re_find_exit
  { [ -e started ] || [ -n "$re_exit" ]; } && return
  re_fault launch.start || return
  # Held open both ways until the job's input has its writer: opening a fifo one way waits for the other.
  [ "$re_input" = fifo ] && re_has_input=1 && command exec 9<>stdin
  RE_SUPERVISOR=$re_supervisor
  export RE_SUPERVISOR
  # shellcheck disable=SC2016
  set -- "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job supervise "$re_token" "$re_user_umask" "$re_shell"
  setsid -f "$@" </dev/null >/dev/null 2>&1 3<&- 4>&- 5<&- 8<&- 9<&- || {
    setsid "$@" </dev/null >/dev/null 2>&1 3<&- 4>&- 5<&- 8<&- 9<&- &
  }
  unset RE_SUPERVISOR
  re_fault launch.started || return
}

# Waits until the job runs or has ended, at most five seconds; less when nobody is at work.
re_report() {
  re_waited=0 re_look=100
  until re_find_exit && [ -n "$re_exit" ] || [ -e run ] || [ "$re_waited" -ge 500 ]; do
    re_pause
    [ "$re_waited" -ge "$re_look" ] || continue
    re_is_free sup.lock && break
    re_look=$((re_look + 100))
  done
  re_evaluate
  case $re_state in
    running | unsupervised) re_trailer="STARTED $re_pid" ;;
    'done' | leftovers) re_trailer="EXITED $re_code" ;;
    committed) re_trailer=COMMITTED ;;
    *) re_trailer=LOST ;;
  esac
}
