# shellcheck shell=sh
# What lives with a job: claims it, runs it once, writes down how it ended. It is started in the job's directory
# in a session of its own, and outlives the connection.
# shellcheck disable=SC2154 # the variables of common.sh and of `plan`

# re_say TEXT: a line in the job's log.
re_say() {
  printf 're: %s\n' "$1" >>log
}

# re_end CODE: the job has ended. A rename needs no block on a full disk. The job's lock is given up first, so that
# who sees the exit status and the lock held sees processes that the job left behind.
re_end() {
  exec 9>&-
  re_fault end.rename || return
  re_now=$(date +%s)
  for re_attempt in 1 2 3; do
    mv exit.pending "exit.$1.${re_now:-0}" && break
    [ "$re_attempt" = 3 ] || sleep 1
  done
  re_fault end.sync || return
  sync .
}

# re_claim TOKEN: whether the job is ours to run: one hard link has one maker. The link is on the disk before the
# command begins, or a crash of the host would let it run twice.
re_claim() {
  re_fault claim.token || return 1
  true >"start.$1" || return 1 # not `:`, whose failure would end the shell
  re_fault claim.link || return 1
  ln "start.$1" started 2>/dev/null
  # shellcheck disable=SC3013 # every shell we meet has -ef
  [ "start.$1" -ef started ]
}

# re_supervise TOKEN UMASK SHELL
re_supervise() {
  trap : HUP INT QUIT PIPE TERM # handlers: the job begins with the defaults
  umask 077
  re_token=$1 re_user_umask=$2 re_shell=$3
  re_fault supervise.lock || return
  command exec 7>>sup.lock && re_lock 7 500 || return
  re_find_exit
  { [ -e started ] || [ -n "$re_exit" ]; } && return
  re_claim "$re_token" || return
  re_fault claim.claimed || return
  if ! { command exec 9>>job.lock && re_lock 9 500 && sync .; }; then
    re_say 'cannot take the lock of the job'
    re_end 125
  elif [ -e kill.req ]; then # written before the claim: it never starts
    re_end 143
  else
    # shellcheck disable=SC2119
    re_prepare_and_run
  fi
}

# shellcheck disable=SC2120 # the plan sets the positional parameters
re_prepare_and_run() {
  re_fault work.plan || { re_end 125; return; }
  # shellcheck disable=SC1091
  . ./plan # sets re_work, re_snapshot, re_project, re_continue, re_streams, and the shared directories as $@
  if ! re_make_place "$@"; then
    re_say 'the job was not started'
    re_end 125
    return
  fi
  re_open_input
  re_errors=log
  [ "$re_streams" = split ] && re_errors=err
  re_fault run.start || { re_end 125; return; }
  if [ "$re_streams" = terminal ]; then
    re_run_on_terminal
    return
  fi
  # shellcheck disable=SC2016
  setsid "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job run "$re_user_umask" "$re_place" \
    <&5 >>log 2>>"$re_errors" 5<&- 7>&-
  re_code=$?
  exec 5<&-
  [ -e run ] || re_code=125
  re_fault run.ended || return
  re_end "$re_code"
}

# The job shares our process group, whose terminal is the client's: when that goes, both get SIGHUP, and we write down
# how the job ended.
re_run_on_terminal() {
  # shellcheck disable=SC2016
  "$re_shell" -c 'eval "$RE_SUPERVISOR"' re-job run "$re_user_umask" "$re_place" 5<&- 7>&-
  re_code=$?
  exec 5<&-
  [ -e run ] || re_code=125
  re_end "$re_code"
}

# re_make_place SHARED...: in re_place the directory to run in. What it starts holds no lock: a copy that goes on
# after our death is not the job.
re_make_place() {
  case $re_project in
    /*) ;;
    *) re_project=$HOME/$re_project ;;
  esac
  re_place=$re_project
  [ "$re_work" = own ] || return 0
  re_place=$PWD/work
  re_fault work.make || return 1
  [ -z "$re_continue" ] || re_continue=$HOME/.re/jobs/$re_continue
  re_make_work "$PWD" "$HOME/.re/snapshots/$re_snapshot/tree" "$re_project" "$re_continue" "$@" >>log 2>&1 7>&- 9>&-
}

# Opens the job's input as 5. A reader of a fifo waits for a writer, unless we are one for a moment; the client's
# writer, if it lives, has been there since before we were started, so that the job never sees a false end of
# file; and if it does not live, the job sees the end at once.
re_open_input() {
  if [ "$re_streams" = split ]; then
    command exec 6<>stdin && command exec 5<stdin
    exec 6<&-
  else
    command exec 5</dev/null
  fi
}

re_record() {
  printf 'pid=%s start=%s boot=%s pidns=%s init=%s host=%s uid=%s began=%s job=%s\n' "$$" "$re_start" "$re_boot" \
    "${re_namespace:--}" "$re_init" "$re_host" "$(id -u)" "$(date +%s)" "${PWD##*/}"
}

# re_run UMASK PLACE: becomes the job's process. Its identity is written before its command begins.
re_run() {
  umask 077
  re_here
  re_find_namespace
  re_ticks 1
  re_init=$re_start
  re_ticks "$$"
  re_fault run.record || exit 125
  if ! { re_record >run.tmp && mv run.tmp run; }; then
    echo 're: cannot write down the process of the job; it was not started' >&2
    exit 125
  fi
  re_fault run.recorded || exit 125
  [ -e kill.req ] && exit 143
  umask "$1"
  set -- "$(cat cmd && echo .)" "$PWD/env" "$2"
  cd "$3" || exit 125
  unset RE_SUPERVISOR
  set -- "${1%.}" "$2" # the environment may set any variable, but not these
  # shellcheck disable=SC1090 # written by the client
  . "$2"
  exec /bin/sh -c "$1"
}

case ${1-} in
  supervise) re_supervise "$2" "$3" "$4" ;;
  run) re_run "$2" "$3" ;;
esac
