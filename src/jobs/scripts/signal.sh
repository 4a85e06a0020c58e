# shellcheck shell=sh
# A signal to the job's process group, if the process is the one that was started.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# re_signal ID NUMBER. Trailer: SENT, GONE or NOJOB.
re_signal() {
  re_enter "$1" || return 1
  re_trailer=GONE
  re_here
  re_read_run || return 1
  re_find_namespace
  [ "$re_run_boot" = "$re_boot" ] && [ "$re_run_namespace" = "${re_namespace:--}" ] || return 1
  re_ticks "$re_pid" && [ "$re_start" = "$re_run_start" ] || return 1
  kill "-$2" "-$re_pid" 2>/dev/null || return 1
  re_trailer=SENT
}
