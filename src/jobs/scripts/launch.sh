# shellcheck shell=sh
# Submission: idempotent. Killed anywhere it leaves nothing that runs, or a committed job.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# re_launch ID TOKEN SHELL SPEC PLAN DIFF SNAPSHOT INPUT SUPERVISOR RUNNER [PATCH...]
#   TOKEN is new at every attempt; PLAN is sourced by the supervisor (supervisor.sh); SNAPSHOT is empty where none is
#   needed; INPUT is "channel", "null" or "terminal"; SUPERVISOR and RUNNER are the texts of supervisor.sh, with what it
#   needs, and of run.sh; PATCH is what re_patch_snapshot (patch.sh) takes behind the snapshot's name, to make the snapshot
#   when it is missing.
# The trailer: STARTED <pid>, STARTING (its supervisor makes its work tree), EXITED <code>, COMMITTED, LOST, CONFLICT,
# NEEDSNAPSHOT, NOTOOL <name>, FAILED <what>.
re_launch() {
  re_id=$1 re_token=$2 re_shell=$3 re_spec=$4 re_plan=$5 re_diff=$6 re_snapshot=$7 re_input=$8 re_supervisor=$9
  shift 9
  re_runner=$1
  shift
  re_ready || return 1
  re_job=$HOME/.re/jobs/$re_id
  if ! [ -e "$re_job/spec" ] && [ -n "$re_snapshot" ] && ! re_get_snapshot "$@"; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_find_facts
  re_trailer='FAILED make the job directory'
  re_fault launch.mkdir || return 1
  mkdir -p "$re_job" && cd "$re_job" || return 1
  if [ "$re_input" = terminal ]; then
    re_submit || return 1
    re_prepare_terminal
    return
  fi
  re_take_answer "$(re_submit_and_start | re_read_answer)"
}

# re_get_snapshot PATCH...: whether the snapshot is there now.
re_get_snapshot() {
  if [ $# -gt 0 ]; then
    re_patch_snapshot "$re_snapshot" "$@"
  else
    [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]
  fi
}

# re_resume ID SHELL SUPERVISOR RUNNER: starts a job that was committed and whose start never came. A terminal's job
# begins with its terminal, and not without it.
re_resume() {
  re_shell=$2 re_input=null re_supervisor=$3 re_runner=$4
  re_ready || return 1
  re_enter "$1" || return 1
  re_find_facts
  re_trailer=COMMITTED
  if [ -e started ] || [ -e terminal ]; then return; fi
  re_take_answer "$(re_start_supervisor | re_read_answer)"
}

re_ready() {
  re_user_umask=$(umask)
  umask 077
  trap : HUP PIPE # handlers, not '': an ignored signal would be ignored in the job, too
  re_require_tools || return 1
  unset RE_JOB_ID # of a job that submits another one
}

re_require_tools() {
  for re_tool in flock setsid tail ln; do
    command -v "$re_tool" >/dev/null && continue
    re_trailer="NOTOOL $re_tool"
    return 1
  done
  [ -r /proc/self/stat ] && return
  re_trailer='NOTOOL /proc'
  return 1
}

# In re_facts what a supervisor and its job need to know of this place: boot, pid namespace, start of pid 1, host, uid, and
# a moment (uptime and epoch) to tell the time by. What costs a process may be known already (remote/scripts/login.sh).
re_find_facts() {
  re_here
  re_find_namespace
  re_ticks 1
  re_uid=-
  while read -r re_word re_number re_uid re_rest && [ "$re_word" != Uid: ]; do :; done </proc/self/status
  if [ -z "${re_clock-}" ]; then
    re_read_uptime
    re_clock="$re_uptime $(date +%s)"
  fi
  re_facts="$re_boot ${re_namespace:--} $re_start ${re_host:--} ${re_uid:--} $re_clock"
}

# The job is committed; who runs `terminal` on a pty starts it there (supervisor.sh). That shell leads the session and
# dies when the terminal goes; its death is what sends SIGHUP to the job.
re_prepare_terminal() {
  re_trailer='FAILED write what starts the job'
  re_fault launch.terminal || return 1
  printf '%s' "$re_supervisor" >supervisor || return 1
  printf '%s' "$re_runner" >runner || return 1
  printf 'set -- %s supervise %s %s "%s"\n' "$re_shell" "$re_user_umask" "$re_shell" "$re_facts" >terminal.tmp || return 1
  cat >>terminal.tmp <<'end' || return 1
cd "${0%/*}" || exit 125
trap : INT QUIT TERM
RE_SUPERVISOR=$(cat supervisor && echo .)
RE_SUPERVISOR=${RE_SUPERVISOR%.}
RE_RUNNER=$(cat runner && echo .)
RE_RUNNER=${RE_RUNNER%.}
export RE_SUPERVISOR RE_RUNNER
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
  sync . .. || return 1
  re_trailer=COMMITTED
}

# re_submit [COMMAND...]: commits the job in this directory, or finds that it holds this very submission already. Runs the
# command when all is written, before it is on the disk. In re_trailer why it failed.
re_submit() {
  re_trailer='FAILED lock the job directory'
  re_fault launch.lock || return 1
  command exec 8<. && re_lock 8 2000 || return 1
  if [ -e spec ]; then
    re_compare || return 1
    "$@"
    return 0
  elif [ -e "$HOME/.re/removed/$re_id" ]; then # it ended, and `re clean` removed it
    cd / && rmdir "$re_job"
    re_trailer=LOST
    return 1
  fi
  re_trailer='FAILED write the job'
  re_write && "$@" && re_commit
}

re_compare() {
  re_trailer=CONFLICT
  [ "$(cat spec && echo .)" = "$re_spec." ] && [ "$(cat plan && echo .)" = "$re_plan." ]
}

# re_touch FILE...: not with `:`, for a special builtin's failed redirection ends the shell (POSIX 2.8.1).
re_touch() {
  for re_file do
    true >>"$re_file" || return 1
  done
}

re_write() {
  re_fault launch.plan || return 1
  printf '%s' "$re_plan" >plan || return 1
  re_fault launch.diff || return 1
  if [ -n "$re_diff" ]; then printf '%s' "$re_diff" >git.diff || return 1; fi
  re_fault launch.streams || return 1
  re_touch log sup.lock job.lock exit.pending || return 1
  [ "$re_input" != channel ] || re_touch err || return 1
  # After the plan, which names it: `re clean` takes a snapshot away before it looks through the plans.
  if [ -n "$re_snapshot" ] && ! [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_fault launch.spec || return 1
  printf '%s' "$re_spec" >spec.tmp
}

# The rename of spec commits; all before it is on the disk by then. That itself is, when the supervisor has claimed the
# job: one sync for both.
re_commit() {
  re_fault launch.sync || return 1
  sync plan spec.tmp ${re_diff:+git.diff} || return 1
  re_fault launch.commit || return 1
  mv spec.tmp spec || return 1
  re_fault launch.committed || return 0
}

# Says the answer of the supervisor, or why there is none to start. It runs in a process of its own, so that the mutex is
# given up when the job is committed: that is what the supervisor waits for (supervisor.sh), which starts meanwhile.
re_submit_and_start() {
  trap : HUP PIPE # what a subshell inherits is the default
  re_submit re_start_supervisor || printf '%s\n' "$re_trailer"
}

# The supervisor's text travels in a variable, so that `ps` shows a short line. `setsid -f` forks by itself; a
# shell's & would have the job ignore SIGINT for ever (POSIX 2.11), so it is the last resort (busybox).
# The job's input is a pipe from a process that ends with the channel: then the job sees the end of its input.
re_start_supervisor() {
  re_find_exit
  if [ -e started ] || [ -n "$re_exit" ]; then return 0; fi
  re_fault launch.start || return
  RE_SUPERVISOR=$re_supervisor RE_RUNNER=$re_runner
  export RE_SUPERVISOR RE_RUNNER
  # shellcheck disable=SC2016
  set -- "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job supervise "$re_user_umask" "$re_shell" "$re_facts"
  if [ "$re_input" = channel ]; then
    { cat 2>/dev/null <&3 3<&- 8<&- & } | re_detach "$@"
  else
    re_detach "$@" </dev/null
  fi
  unset RE_SUPERVISOR RE_RUNNER
  re_fault launch.started
}

re_detach() {
  setsid -f "$@" 2>/dev/null 3<&- 4>&- 5<&- 8<&- 9<&- || {
    exec 5<&0
    setsid "$@" <&5 2>/dev/null 3<&- 4>&- 5<&- 8<&- 9<&- &
  }
}

# The first line; the supervisor keeps its end open.
re_read_answer() {
  IFS= read -r re_line && printf '%s' "$re_line"
}

# re_take_answer TRAILER: or else what the job's directory says.
re_take_answer() {
  re_trailer=$1
  case $re_trailer in
    FAILED* | CONFLICT | LOST | NEEDSNAPSHOT) return 1 ;;
    '') re_report ;;
  esac
}

# Waits until the job runs or has ended, at most five seconds; less when nobody is at work.
re_report() {
  re_waited=0 re_look=100
  until re_find_exit && [ -n "$re_exit" ] || [ -s run ] || [ "$re_waited" -ge 500 ]; do
    re_pause
    [ "$re_waited" -ge "$re_look" ] || continue
    re_is_free sup.lock && break
    re_look=$((re_look + 100))
  done
  re_evaluate
  case $re_state in
    running | unsupervised) re_trailer="STARTED $re_pid" ;;
    'done' | leftovers) re_trailer="EXITED $re_code" ;;
    committed) re_report_committed ;;
    *) re_trailer=LOST ;;
  esac
}

# What is said to be committed is on the disk.
re_report_committed() {
  re_trailer='FAILED write the job'
  [ -e spec ] && sync . .. || return 1
  re_trailer=COMMITTED
  if [ -e started ]; then re_trailer=STARTING; fi
}
