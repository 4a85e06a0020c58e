# shellcheck shell=sh
# A job's output as it comes, by byte offset.
# shellcheck disable=SC2034,SC2154 # variables that other files read or set

# re_launch_attached: the arguments of re_launch. The first line of the output is its answer. When the job started,
# its streams follow, and it has our input; on stderr, what the tools had to say comes before a line with the token.
re_launch_attached() {
  exec 3<&0
  re_launch "$@"
  set -- "$?"
  printf '%s\n' "$re_trailer"
  [ "$1" = 0 ] || return "$1"
  printf '%s\n' "$re_token" >&2
  exec 3<&-
  case $re_trailer in
    STARTED*)
      if re_await_quick_end; then
        re_bring_all
        return
      fi
      sync plan spec . .. </dev/null >/dev/null 2>&1 &
      ;;
  esac
  re_end_herald
  re_evaluate
  re_stream 0 0
}

# Whether the job ends at once and leaves nothing: then what it said is brought in few processes. A flock that cannot wait
# (busybox) says no.
re_await_quick_end() {
  [ -z "${re_herald-}" ] || { re_await_herald; return; }
  { command exec 6<job.lock; } 2>/dev/null || return 1
  flock -s -w 0.05 6 2>/dev/null
  set -- "$?"
  exec 6<&-
  [ "$1" = 0 ] && re_find_exit && [ -n "$re_exit" ]
}

# The same where a process waits for the job's lock already.
re_await_herald() {
  trap : USR1
  wait "$re_herald"
  set -- "$?"
  re_end_timer
  [ "$1" -le 128 ] || re_end_herald
  re_herald=
  [ "$1" = 0 ] && re_find_exit && [ -n "$re_exit" ]
} 2>/dev/null

re_bring_all() {
  if [ -s log ]; then cat log 2>/dev/null; fi
  if [ -s err ]; then cat err >&2 2>/dev/null; fi
  re_set_end 'done'
}

# re_set_end STATE: the trailer of a stream.
re_set_end() {
  re_size log
  set -- "$1" "$re_bytes"
  re_size err
  re_trailer="$1 ${re_code:--} out=$2 err=$re_bytes"
}

# re_attach ID OUT ERR: the streams from these offsets on.
re_attach() {
  re_enter "$1" || return 1
  re_here
  re_evaluate
  re_stream "$2" "$3"
}

# re_stream OUT ERR: until the job ends. Trailer: <state> <exit code or -> out=<size> err=<size>
re_stream() {
  exec 4>&2 2>/dev/null # what our tools say is not the job's output
  case $re_state in
    running | committed) re_follow sup.lock "$@" ;;
    unsupervised) re_follow job.lock "$@" ;;
    *) re_rest "$@" ;;
  esac
  re_evaluate
  re_set_end "$re_state"
  exec 2>&4 4>&-
}

re_rest() {
  re_size log
  re_range log "$1" "$re_bytes"
  re_size err
  re_range err "$2" "$re_bytes" >&4
}

# re_follow LOCK OUT ERR: while the lock is held. A tail that knows --pid ends, having read all, when the process
# that waits for the lock has ended; and it ends when the client is gone.
re_follow() {
  if ! tail --pid="$$" -s 0.1 -c 0 /dev/null; then
    re_poll "$2" "$3"
    return
  fi
  command exec 6<"$1"
  flock -s 6 &
  re_waiter=$!
  re_announce_end "$re_waiter" >/dev/null 4>&- &
  re_announcer=$!
  exec 6<&-
  tail --pid="$re_waiter" -s 0.1 -f -c "+$(($2 + 1))" log &
  re_tail=$!
  if [ -e err ]; then
    tail --pid="$re_waiter" -s 0.1 -f -c "+$(($3 + 1))" err >&4 &
    wait "$!"
  fi
  wait "$re_tail"
  kill "$re_waiter" "$re_announcer"
}

# Both tails look for the end ten times a second, and at once when inotify says that their file was written to: a hole
# punched far behind its end says that and changes nothing. They see the end when the shell has reaped the process.
re_announce_end() {
  flock -s 6
  re_looks=0
  while kill -0 "$1" && [ "$((re_looks += 1))" -le 50 ]; do re_pause; done
  for re_file in log err; do
    [ -e "$re_file" ] && fallocate -p -o 8796093022208 -l 4096 "$re_file"
  done
}

# The same for a tail that cannot: looks again and again.
re_poll() {
  re_out=$1 re_err=$2
  while :; do
    re_evaluate
    re_size log
    re_range log "$re_out" "$re_bytes" || return
    re_out=$re_bytes
    re_size err
    re_range err "$re_err" "$re_bytes" >&4 || return
    re_err=$re_bytes
    case $re_state in running | committed | unsupervised) ;; *) return ;; esac
    re_is_free sup.lock && re_is_free job.lock && re_find_exit && [ -z "$re_exit" ] && return
    sleep 0.2 || sleep 1
  done
}

# re_set_log_trailer: <state> <exit code or -> size=<of what was read> err=<of stderr's file, or ->
re_set_log_trailer() {
  re_trailer="$re_state ${re_code:--} size=$re_bytes err="
  re_bytes=-
  [ ! -e err ] || re_size err
  re_trailer=$re_trailer$re_bytes
}

# re_read_log ID FILE OFFSET LIMIT: a piece.
re_read_log() {
  re_enter "$1" || return 1
  re_here
  re_evaluate
  re_size "$2"
  set -- "$2" "$3" "$4" "$re_bytes"
  [ "$4" -le "$(($2 + $3))" ] || set -- "$1" "$2" "$3" "$(($2 + $3))"
  re_range "$1" "$2" "$4" 2>/dev/null
  re_set_log_trailer
}

# re_tail_log ID FILE LINES: the last lines. The size in the trailer is where the output ended: who goes on from there
# misses and repeats nothing.
re_tail_log() {
  re_enter "$1" || return 1
  re_here
  re_evaluate
  re_size "$2"
  exec 4>&1
  if [ -e "$2" ]; then
    re_position=$({
      tail -n "$3" >&4 2>/dev/null
      cat /proc/self/fdinfo/0
    } <"$2")
    # shellcheck disable=SC2086 # "pos: <n> flags: …"
    set -- $re_position
    [ "${1-}" = pos: ] && re_bytes=$2
  fi
  exec 4>&-
  re_set_log_trailer
}
