# shellcheck shell=sh
# Starts committed jobs one after the other, each when the one before has its supervisor at work. Goes behind launch.sh.
# shellcheck disable=SC2034,SC2153,SC2154 # variables that launch.sh reads or sets

# re_start_all SHELL UMASK FACTS ID...
re_start_all() {
  trap : HUP INT QUIT PIPE TERM
  re_shell=$1 re_user_umask=$2 re_clock=${3#* * * * * } re_input=null
  re_supervisor=$RE_SUPERVISOR re_runner=$RE_RUNNER
  unset RE_STARTER
  shift 3
  for re_id do
    re_fault starter.next || return
    cd "$HOME/.re/jobs/$re_id" 2>/dev/null || continue
    re_start_supervisor | re_read_answer >/dev/null
  done
}

re_start_all "$@"
