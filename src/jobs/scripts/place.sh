# shellcheck shell=sh
# What a shell does that was started ahead of a launch, and waits for it: it makes a place for the job, a directory that lacks
# but its plan and its name, where a supervisor and a runner wait already. So a launch costs one rename. Nobody may come:
# then all of it ends and goes with the shell. Goes behind launch.sh and trees.sh.
# shellcheck disable=SC2034,SC2154,SC3013 # variables that launch.sh reads; -ef came with POSIX.1-2024

# re_prepare_place SHELL PROJECT_ID PROJECT SHARED...: for a job of this project, on its newest snapshot; without an id for
# one without a tree of its own. In re_place the directory; nothing when it cannot be made. See re_go (launch.sh).
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

# re_link_ahead: what a patch of the newest snapshot begins with (patch.sh), links to all its files, is made in the background. A
# job that has not used them loses them at its end (supervisor.sh). Outside re_prepare_place: of its streams and descriptors
# a shell would keep copies.
re_link_ahead() {
  re_linker=
  [ -n "$re_place" ] && [ -n "$re_linked" ] || return
  { re_link_tree; } </dev/null >/dev/null 2>&1 5>&- 6<&- 7>&- &
  re_linker=$!
}

re_link_tree() {
  cd "$re_place" || return
  umask 077
  re_entries=
  read -r re_entries <"$HOME/.re/snapshots/$re_linked/outline"
  [ -n "$re_entries" ] && [ "$re_entries" -le 4096 ] && mkdir linked || return
  cp -al "$HOME/.re/snapshots/$re_linked/tree" linked/tree &&
    find linked/tree -type d -exec chmod u+rwx {} + && [ . -ef "$re_place" ] && return
  re_remove_tree linked
  return 1
}

re_fill_place() {
  re_require_tools && command -v mkfifo >/dev/null || return 1
  mkdir -p "$HOME/.re/jobs" && mkdir "$re_place" || return 1
  re_touch "$re_place/log" "$re_place/sup.lock" "$re_place/job.lock" "$re_place/exit.pending" || return 1
  mkfifo "$re_place/go" "$re_place/answer" "$re_place/input" || return 1
  # Opened for both first: nothing waits for the other end then.
  command exec 5<>"$re_place/go" 6<>"$re_place/answer" 7<>"$re_place/input" || return 1
  re_start_ahead "$@" || return 1
  command exec 5>"$re_place/go" 6<"$re_place/answer" 7>"$re_place/input" || return 1
  IFS= read -r re_line <&6 && [ "$re_line" = ready ] || return 1
  re_herald=
  if sleep 0.01; then # or its timer could not (launch.sh)
    flock -s 4 4<"$re_place/job.lock" >/dev/null 5>&- 6<&- 7>&- &
    re_herald=$!
  fi
  rm -f "$re_place/go" "$re_place/answer" "$re_place/input"
}

re_start_ahead() {
  RE_SUPERVISOR=$re_supervisor RE_RUNNER=$re_runner
  export RE_SUPERVISOR RE_RUNNER
  unset RE_JOB_ID
  re_shell=$1 re_linked=
  { [ -n "$2" ] && read -r re_linked <"$HOME/.re/snapshots/latest.$2"; } 2>/dev/null
  shift 2
  re_find_facts
  # shellcheck disable=SC2016
  (
    cd "$re_place" || exit 1
    re_detach "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job ready "$re_user_umask" "$re_shell" "$re_facts" "$re_place" \
      "$re_linked" "$@"
  ) <"$re_place/input" >"$re_place/answer" 6<"$re_place/go" 7>&-
}
