# shellcheck shell=sh
# Starting a supervisor; goes behind common.sh.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# Whether the host has what a launch needs; else re_trailer says what is missing.
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

# re_touch FILE...: not with `:`, for a special builtin's failed redirection ends the shell (POSIX 2.8.1).
re_touch() {
  for re_file do
    true >>"$re_file" || return 1
  done
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

# re_detach COMMAND...: in a session of its own. `setsid -f` forks by itself; a shell's & would have the job ignore SIGINT for
# ever (POSIX 2.11), so it is the last resort (busybox). The supervisor's text travels in a variable, so that `ps` shows a
# short line.
re_detach() {
  setsid -f "$@" 2>/dev/null 3<&- 4>&- 5<&- 8<&- 9<&- || {
    exec 5<&0
    setsid "$@" <&5 2>/dev/null 3<&- 4>&- 5<&- 8<&- 9<&- &
  }
}
