# shellcheck shell=sh
# What becomes the job's process; its supervisor starts it in the job's directory, in a session of its own.
# shellcheck disable=SC2154 # the variables of `plan`

# re_run UMASK PLACE BOOT NAMESPACE INIT HOST UID UPTIME EPOCH: its identity is written before its command begins. One write
# of a line; who reads less than a line takes it for none.
re_run() {
  umask 077
  re_ticks "$$"
  re_read_clock "$8" "$9"
  re_fault run.record || exit 125
  if ! printf 'pid=%s start=%s boot=%s pidns=%s init=%s host=%s uid=%s began=%s job=%s\n' "$$" "$re_start" "$3" "$4" \
    "$5" "$6" "$7" "$re_now" "${PWD##*/}" >run; then
    echo 're: cannot write down the process of the job; it was not started' >&2
    exit 125
  fi
  re_fault run.recorded || exit 125
  [ -e kill.req ] && exit 143
  { printf 'STARTED %s\n' "$$" >&5; } 2>/dev/null
  exec 5>&-
  # shellcheck disable=SC1091
  . ./plan
  umask "$re_run_umask"
  cd "$re_run_place" || exit 125
  unset RE_SUPERVISOR RE_RUNNER
  set -- "$re_command"
  eval "$re_environment" # may set any variable, but not this command
  exec /bin/sh -c "$1"
}

re_run_umask=$1 re_run_place=$2
re_run "$@"
