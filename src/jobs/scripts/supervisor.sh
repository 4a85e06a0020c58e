# shellcheck shell=sh
# What lives with a job: sees that it is run once, and writes down how it ended. It is started in the job's directory in a
# session of its own, and outlives the connection. The job's process is its child, which claims the job (run.sh).
# shellcheck disable=SC2034,SC2154,SC3013 # the variables of basics.sh; -ef came with POSIX.1-2024

# re_end CODE: the job has ended. Its lock is given up after that: who waits for it finds the exit status, and who finds it
# held for long sees processes that the job left behind. A rename needs no block on a full disk, a new name no process.
re_end() {
  re_fault end.rename || return
  # shellcheck disable=SC2086 # two words
  re_read_clock $re_moment
  if ! true 2>/dev/null >"exit.$1.$re_now"; then # not `:`, whose failure would end the shell
    for re_attempt in 1 2 3; do
      mv exit.pending "exit.$1.$re_now" && break
      [ "$re_attempt" = 3 ] || sleep 1
    done
  fi
  exec 9>&-
  re_fault end.sync || return
  if [ -e err ]; then sync plan spec . ..; else sync .; fi # one with streams may not be on the disk yet
  re_remove_links linked
}

# re_remove_links DIRECTORY: what another process may just be filling (place.sh), which ends by that.
re_remove_links() {
  re_waited=0
  while [ -e "$1" ] && [ "$re_waited" -lt 500 ]; do
    ! re_remove_tree "$1" || return 0
    re_pause
  done
}

# Of two supervisors the one that comes late has nothing to do. Only the child of the one that holds both locks claims the
# job: who finds it claimed is late.
re_lock_supervisor() {
  re_fault supervise.lock || return 1
  command exec 7>>sup.lock || return 1
  re_waited=0
  until flock -n 7; do
    if [ -e started ] || [ "$re_waited" -ge 500 ]; then return 1; fi
    re_pause
  done
  re_fault supervise.job || return 1
  command exec 9>>job.lock && re_lock 9 500 || return 1
  re_find_exit
  [ ! -e started ] && [ -z "$re_exit" ]
}

# re_supervise HOW UMASK SHELL FACTS [PLACE SNAPSHOT PROJECT SHARED...]
#   HOW is "committed"; "terminal", where the job shares our process group, whose terminal is the client's: when that goes,
#   both get SIGHUP, and we write down how the job ended; or "ready", where there is no job yet and the directory, PLACE,
#   waits for one, which is said. FACTS as re_find_facts has them. Who started us reads the answer from our output.
re_supervise() {
  trap : HUP INT QUIT PIPE TERM # handlers: the job begins with the defaults
  umask 077
  re_how=$1 re_shell=$3 re_place=${5-}
  re_moment=${4#* * * * * }
  [ "$re_how" = terminal ] || exec 5>&1 >/dev/null
  re_lock_supervisor || return
  if [ "$re_how" = ready ]; then { printf 'ready\n' >&5; } 2>/dev/null; fi
  re_fault run.start || return
  # shellcheck disable=SC2016
  set -- "$re_shell" -c 'eval "$RE_RUNNER"' re-job "$@"
  case $re_how in
    terminal) "$@" 7>&- ;;
    *) setsid "$@" 7>&- ;;
  esac
  re_code=$?
  exec 5>&- 6<&- </dev/null
  if [ -e started ]; then
    re_fault run.ended || return
    if ! [ -s run ]; then # it did not begin
      re_code=125
      [ ! -e kill.req ] || re_code=143
    fi
    re_end "$re_code"
  elif [ -n "$re_place" ] && [ . -ef "$re_place" ]; then # nobody wanted it
    cd / && re_remove_links "$re_place"
  fi
}

re_supervise "$@"
