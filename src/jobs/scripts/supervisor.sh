# shellcheck shell=sh
# What lives with a job: claims it, runs it once, writes down how it ended. It is started in the job's directory
# in a session of its own, and outlives the connection.
# shellcheck disable=SC2034,SC2154 # the variables of basics.sh and of `plan`

# re_say TEXT: a line in the job's log.
re_say() {
  printf 're: %s\n' "$1" >>log
}

# re_answer TEXT: to who launched the job, once.
re_answer() {
  { printf '%s\n' "$1" >&5; } 2>/dev/null
  exec 5>&-
}

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
  sync .
}

# Whether the job is ours to run: of all who try, one makes the file (O_EXCL).
re_claim() {
  re_fault claim.make || return 1
  set -C
  { true >started; } 2>/dev/null
  set -- "$?"
  set +C
  return "$1"
}

# The claim is on the disk before the command begins, or a crash of the host would let it run twice. So is the commit,
# before it is answered.
re_write_out() {
  re_fault claim.claimed || return 1
  sync . ..
}

# Whoever commits the job holds the mutex of its directory until then.
re_await_commit() {
  re_fault supervise.wait || return 1
  command exec 8<. && flock -s 8 || return 1
  exec 8<&-
  re_find_exit
  [ -e spec ] && ! [ -e started ] && [ -z "$re_exit" ]
}

# Of two supervisors the one that comes late has nothing to do.
re_lock_supervisor() {
  re_fault supervise.lock || return 1
  command exec 7>>sup.lock || return 1
  re_waited=0
  until flock -n 7; do
    if [ -e started ] || [ "$re_waited" -ge 500 ]; then return 1; fi
    re_pause
  done
  re_fault supervise.job || return 1
  command exec 9>>job.lock && re_lock 9 500
}

# re_supervise UMASK SHELL FACTS: FACTS as re_find_facts has them.
re_supervise() {
  trap : HUP INT QUIT PIPE TERM # handlers: the job begins with the defaults
  umask 077
  re_user_umask=$1 re_shell=$2 re_facts=$3
  re_moment=${re_facts#* * * * * }
  re_lock_supervisor || return
  re_fault work.plan || return
  # shellcheck disable=SC1091
  . ./plan # sets re_work, re_snapshot, re_project, re_continue, re_streams, and the shared directories as $@
  # On a terminal nobody waits for an answer.
  if [ "$re_streams" = terminal ]; then command exec 5>/dev/null; else exec 5>&1 >/dev/null; fi
  re_begin_small_place "$@"
  if ! re_await_commit || ! re_claim; then
    [ -z "$re_maker" ] || wait "$re_maker"
    return
  fi
  if ! re_write_out; then
    re_say 'cannot write down that the job begins'
    re_end 125
  elif [ -e kill.req ]; then # written before the claim: it never starts
    re_end 143
  else
    re_prepare_and_run "$@"
  fi
}

# re_prepare_and_run SHARED...
re_prepare_and_run() {
  if ! re_make_place "$@"; then
    re_say 'the job was not started'
    if [ -e kill.req ]; then re_end 143; else re_end 125; fi
    return
  fi
  re_fault run.start || { re_end 125; return; }
  # shellcheck disable=SC2016,SC2086 # words
  set -- "$re_shell" -c 'eval "$RE_RUNNER"' re-job "$re_user_umask" "$re_place" $re_facts
  case $re_streams in
    # The job shares our process group, whose terminal is the client's: when that goes, both get SIGHUP, and we write down
    # how the job ended.
    terminal) "$@" 7>&- ;;
    split) setsid "$@" >>log 2>>err 7>&- ;;
    *) setsid "$@" >>log 2>&1 7>&- ;;
  esac
  re_code=$?
  exec 5>&- </dev/null
  [ -s run ] || re_code=125
  re_fault run.ended || return
  re_end "$re_code"
}

re_find_place() {
  case $re_project in
    /*) ;;
    *) re_project=$HOME/$re_project ;;
  esac
  re_place=$re_project re_maker='' re_entries=
  [ "$re_work" = own ] || return 0
  re_place=$PWD/work
  re_tree=$HOME/.re/snapshots/$re_snapshot/tree
  [ -z "$re_continue" ] || re_continue=$HOME/.re/jobs/$re_continue
  { read -r re_entries <"$HOME/.re/snapshots/$re_snapshot/outline"; } 2>/dev/null
}

# re_begin_small_place SHARED...: makes a small work tree while the job is being committed. What makes it holds sup.lock:
# there is one at a time.
re_begin_small_place() {
  re_find_place
  [ -n "$re_entries" ] && [ "$re_entries" -le 64 ] && [ -z "$re_continue" ] || return 0
  if [ -e started ] || [ -e kill.req ]; then return 0; fi
  re_make_work "$PWD" "$re_tree" "$re_project" '' "$@" >>log 2>&1 5>&- 9>&- &
  re_maker=$!
}

# re_make_place SHARED...: in re_place the directory to run in. What it starts holds no lock: a copy that goes on
# after our death is not the job.
re_make_place() {
  [ "$re_work" = own ] || return 0
  re_fault work.make || return 1
  if [ -n "$re_maker" ]; then
    wait "$re_maker"
    return
  fi
  re_answer STARTING # the copy may take long
  re_make_work "$PWD" "$re_tree" "$re_project" "$re_continue" "$@" >>log 2>&1 7>&- 9>&-
}

re_supervise "$2" "$3" "$4"
