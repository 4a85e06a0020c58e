# shellcheck shell=sh
# Submission: idempotent. Killed anywhere it leaves nothing that runs, or a committed job.
# shellcheck disable=SC2034,SC2154,SC3013 # variables that other files read or set; -ef came with POSIX.1-2024

# In re_supervisor and re_runner are the texts of supervisor.sh and run.sh with what they need.

# re_launch ID TOKEN AGE SHELL SPEC PLAN DIFF SNAPSHOT INPUT [PATCH...]
#   TOKEN is new at every attempt; AGE is how many seconds ago the first one began; PLAN is sourced by the runner (run.sh);
#   SNAPSHOT is empty where none is needed; INPUT is "channel", "closed" (a channel's, but empty), "null" or "terminal";
#   PATCH is what re_patch_snapshot (patch.sh) takes behind the snapshot's name, to make the snapshot when it is missing.
# The trailer: STARTED <pid>, STARTING (its runner makes its work tree), EXITED <code>, COMMITTED, LOST, CONFLICT,
# NEEDSNAPSHOT, NOTOOL <name>, FAILED <what>.
re_launch() {
  re_id=$1 re_token=$2 re_age=$3 re_shell=$4 re_spec=$5 re_plan=$6 re_diff=$7 re_snapshot=$8 re_input=$9
  shift 9
  re_ready || return 1
  re_job=$HOME/.re/jobs/$re_id
  if ! [ -e "$re_job" ]; then
    if re_is_over; then
      re_trailer=LOST
      return 1
    fi
    if [ -n "$re_snapshot" ] && ! re_get_snapshot "$@"; then
      re_trailer=NEEDSNAPSHOT
      return 1
    fi
    re_submit || return 1
    [ -n "$re_new" ] || return 0
  fi
  re_join
}

# Whether this is the repetition of what has been here: `re clean` has removed it; or the host has started since the first
# attempt, and a job whose streams the client has is not written out before it begins.
re_is_over() {
  [ ! -e "$HOME/.re/removed/$re_id" ] || return 0
  re_has_streams && [ "$re_age" -gt 0 ] || return 1
  re_read_uptime
  [ "$re_uptime" -le "$re_age" ]
}

re_has_streams() {
  [ "$re_input" = channel ] || [ "$re_input" = closed ]
}

# re_get_snapshot PATCH...: whether the snapshot is there now.
re_get_snapshot() {
  if [ $# -gt 0 ]; then
    [ -z "${re_linker-}" ] || wait "$re_linker" || re_linked=
    re_patch_snapshot "$re_snapshot" "$@"
  else
    [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]
  fi
}

# re_resume ID SHELL: starts a job that was committed and whose start never came. A terminal's job begins with its terminal,
# and not without it.
re_resume() {
  re_shell=$2 re_input=null
  re_ready || return 1
  re_enter "$1" || return 1
  re_start_committed
}

# A place that was made ahead has found the umask, the tools, and which boot this is.
re_ready() {
  [ -n "${re_place-}" ] || re_user_umask=$(umask)
  umask 077
  trap : HUP PIPE # handlers, not '': an ignored signal would be ignored in the job, too
  [ -n "${re_place-}" ] || { re_here && re_require_tools; } || return 1
  unset RE_JOB_ID # of a job that submits another one
}

# What stands in the job's directory already: the same submission, at work or not begun, or another one.
re_join() {
  re_leave_place
  re_trailer=LOST
  cd "$re_job" 2>/dev/null && [ -s spec ] || return 1
  re_trailer=CONFLICT
  [ "$(cat spec && echo .)" = "$re_spec." ] && [ "$(cat plan && echo .)" = "$re_plan." ] || return 1
  re_start_committed
}

re_start_committed() {
  re_evaluate
  if [ "$re_state" = committed ] && [ -e terminal ]; then
    re_trailer=COMMITTED
  elif [ "$re_state" = committed ] && ! [ -e started ]; then
    re_take_answer "$(re_start_supervisor | re_read_answer)"
  else
    re_report
  fi
}

# re_submit: commits the job and starts it; else why not is in re_trailer. A directory appears under the job's name with all
# that is in it: of several attempts the first rename wins. That of one that came late has gone into the other's directory:
# it is removed again, and re_new stays set.
re_submit() {
  re_new=${re_place-}
  if [ -z "$re_new" ] || ! cd "$re_new" 2>/dev/null; then
    re_leave_place
    re_trailer='FAILED make the job directory'
    re_new=$HOME/.re/jobs/.new.$re_nonce
    re_fault launch.mkdir || return 1
    mkdir -p "$re_new" && cd "$re_new" || return 1
  fi
  re_trailer='FAILED write the job'
  if re_write && re_commit; then
    if [ . -ef "$re_job" ] && cd "$re_job"; then
      re_new=
      re_begin
      return
    fi
    re_trailer=
  elif [ -s "$re_job/spec" ]; then
    re_trailer=
  fi
  re_leave_place
  re_file=${re_new##*/}
  cd / && rm -rf "$re_new" "$re_job/${re_file:?}"
  [ -z "$re_trailer" ]
}

re_write() {
  re_fault launch.plan || return 1
  printf '%s' "$re_plan" >plan || return 1
  re_fault launch.diff || return 1
  if [ -n "$re_diff" ]; then printf '%s' "$re_diff" >git.diff || return 1; fi
  re_fault launch.streams || return 1
  [ -n "${re_place-}" ] || re_touch log sup.lock job.lock exit.pending || return 1
  case $re_input in
    channel | closed) re_touch err && re_write_boot || return 1 ;;
    terminal) re_write_terminal || return 1 ;;
  esac
  # After the plan, which names it: `re clean` takes a snapshot away before it looks through the plans.
  if [ -n "$re_snapshot" ] && ! [ -f "$HOME/.re/snapshots/$re_snapshot/manifest" ]; then
    re_trailer=NEEDSNAPSHOT
    return 1
  fi
  re_fault launch.spec || return 1
  printf '%s' "$re_spec" >spec
}

# A job that is not written out before it begins may have begun in another boot although nothing says so: it begins in this
# one or not at all.
re_write_boot() {
  printf '%s %s\n' "$re_boot" "$re_host" >boot
}

re_commit() {
  re_trailer='FAILED commit the job'
  re_fault launch.commit || return 1
  if [ -n "${re_herald-}" ] && re_has_streams; then re_start_timer; fi # beside the rename: the job itself comes next
  mv "$re_new" "$re_job" || return 1
  re_fault launch.committed || return 0
}

# The job is committed. What it needs to be found again after a crash of the host is written out by its runner before it
# begins; where the client has its streams, meanwhile (stream.sh).
re_begin() {
  if [ "$re_input" = terminal ]; then
    re_leave_place
    re_trailer=COMMITTED
    return
  fi
  if [ -n "${re_place-}" ]; then
    re_go
  else
    re_line=$(re_start_supervisor | re_read_answer)
  fi
  re_take_answer "$re_line"
}

# Gives the place that was made ahead (place.sh) to the job: descriptor 5 tells its runner, 6 is where that answers, 7 is
# the job's input, and who has streams wants to know when it ends (re_herald).
re_go() {
  { printf 'go\n' >&5; } 2>/dev/null
  exec 5>&-
  if [ "$re_input" = channel ]; then { cat 2>/dev/null <&3 >&7 3<&- 6<&- 7>&- & } fi
  re_has_streams || re_end_herald
  re_line=
  exec 7>&-
  IFS= read -r re_line <&6
  exec 6<&-
  re_place=
}

re_end_herald() {
  [ -n "${re_herald-}" ] || return 0
  re_end_timer
  kill "$re_herald"
  wait "$re_herald" # or bash says that it was terminated
  re_herald=
} 2>/dev/null

# After a while who waits for the herald is told to wait no more. The signal comes again until it is heard: it is ignored
# until then, for it would break off a `read`, and one that comes before `wait` would not end that.
re_start_timer() {
  trap '' USR1
  { while sleep 0.05 || [ "$?" -gt 128 ]; do kill -USR1 "$$" || exit; done; } </dev/null >/dev/null 2>&1 3<&- 4>&- 5>&- \
    6<&- 7>&- &
  re_timer=$!
}

re_end_timer() {
  [ -n "${re_timer-}" ] || return 0
  trap '' USR1
  kill "$re_timer"
  wait "$re_timer"
  re_timer=
  trap - USR1 # or what is started now would ignore it
} 2>/dev/null

# It is not wanted, or cannot be used any more.
re_leave_place() {
  [ -n "${re_place-}" ] || return 0
  re_end_herald
  { printf 'no\n' >&5; } 2>/dev/null
  exec 5>&- 6<&- 7>&-
  re_place=
}

# What runs the job on a pty when its terminal is there (supervisor.sh). That shell leads the session and dies when the
# terminal goes; its death is what sends SIGHUP to the job.
re_write_terminal() {
  re_find_facts
  re_fault launch.terminal || return 1
  printf '%s' "$re_supervisor" >supervisor || return 1
  printf '%s' "$re_runner" >runner || return 1
  printf 'set -- %s terminal %s %s "%s"\n' "$re_shell" "$re_user_umask" "$re_shell" "$re_facts" >terminal || return 1
  cat >>terminal <<'end' || return 1
cd "${0%/*}" || exit 125
trap : INT QUIT TERM
RE_SUPERVISOR=$(cat supervisor && echo .)
RE_SUPERVISOR=${RE_SUPERVISOR%.}
RE_RUNNER=$(cat runner && echo .)
RE_RUNNER=${RE_RUNNER%.}
export RE_SUPERVISOR RE_RUNNER
re_shell=$1
shift
"$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job "$@" 5>/dev/null
cat log >&2
re_code=125
for re_file in exit.[0-9]*; do
[ -e "$re_file" ] && re_code=${re_file#exit.}
done
exit "${re_code%%.*}"
end
}

# Starts a supervisor in the committed job's directory; it answers on our output. The job's input is a pipe from a process
# that ends with the channel: then the job sees the end of its input.
re_start_supervisor() {
  trap : HUP PIPE # what a subshell inherits is the default
  re_find_facts
  re_fault launch.start || return
  RE_SUPERVISOR=$re_supervisor RE_RUNNER=$re_runner
  export RE_SUPERVISOR RE_RUNNER
  # shellcheck disable=SC2016
  set -- "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job committed "$re_user_umask" "$re_shell" "$re_facts"
  if [ "$re_input" = channel ]; then
    { cat 2>/dev/null <&3 3<&- & } | re_detach "$@"
  else
    re_detach "$@" </dev/null
  fi
  unset RE_SUPERVISOR RE_RUNNER
  re_fault launch.started
}

# The first line; the supervisor keeps its end open.
re_read_answer() {
  IFS= read -r re_line && printf '%s' "$re_line"
}

# re_take_answer TRAILER: or else what the job's directory says.
re_take_answer() {
  re_trailer=$1
  [ -n "$re_trailer" ] || re_report
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
  [ -s spec ] && sync plan spec . .. || return 1
  re_trailer=COMMITTED
  if [ -e started ]; then re_trailer=STARTING; fi
}
