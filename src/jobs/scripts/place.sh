# shellcheck shell=sh
# What a shell does that was started ahead of a launch, and waits for it: it makes a place for the job, a directory that lacks
# but its plan and its name, where a supervisor and a runner wait already. So a launch costs one rename. Nobody may come:
# then all of it ends and goes with the shell. Goes behind start.sh.
# shellcheck disable=SC2034,SC2154 # variables that launch.sh reads

# re_prepare_place SHELL SUPERVISOR RUNNER SNAPSHOT PROJECT SHARED...: as re_launch has them. In re_place the directory; nothing
# when it cannot be made. Descriptors: see re_go (launch.sh).
re_prepare_place() {
  re_user_umask=$(umask)
  umask 077
  re_ticks "$$"
  re_place=$HOME/.re/jobs/.new.$$.$re_start
  if ! re_fill_place "$@"; then
    exec 5>&- 6<&- 7>&-
    rm -rf "$re_place"
    re_place=
  fi
  unset RE_SUPERVISOR RE_RUNNER
  umask "$re_user_umask"
} </dev/null 2>/dev/null

re_fill_place() {
  re_require_tools && command -v mkfifo >/dev/null || return 1
  mkdir -p "$HOME/.re/jobs" && mkdir "$re_place" || return 1
  re_touch "$re_place/log" "$re_place/sup.lock" "$re_place/job.lock" "$re_place/exit.pending" || return 1
  mkfifo "$re_place/go" "$re_place/answer" "$re_place/input" || return 1
  # Opened for both first: nothing waits for the other end then.
  command exec 5<>"$re_place/go" 6<>"$re_place/answer" 7<>"$re_place/input" || return 1
  re_start_ahead "$@" || return 1
  command exec 5>"$re_place/go" 6<"$re_place/answer" 7>"$re_place/input" || return 1
  rm -f "$re_place/go" "$re_place/answer" "$re_place/input"
}

re_start_ahead() {
  re_shell=$1 RE_SUPERVISOR=$2 RE_RUNNER=$3
  export RE_SUPERVISOR RE_RUNNER
  unset RE_JOB_ID
  shift 3
  re_find_facts
  # shellcheck disable=SC2016
  (
    cd "$re_place" || exit 1
    re_detach "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job ready "$re_user_umask" "$re_shell" "$re_facts" "$re_place" "$@"
  ) <"$re_place/input" >"$re_place/answer" 6<"$re_place/go" 7>&-
}
