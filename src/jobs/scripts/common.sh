# shellcheck shell=sh
# What the job scripts share. A job's directory is ~/.re/jobs/<id>/; its state is in its file names, its liveness
# in two kernel locks (ARCHITECTURE.md, "A job on a host"). Descriptors: 3 and 4 hold the channel's stdin and
# stderr, 5 and 6 are for short use, 7 is sup.lock, 8 the directory as the mutex of submissions, 9 job.lock.
# shellcheck disable=SC2034 # most of what is set here is read by the other files

# re_pause: rests as shortly as this host's sleep can; re_waited counts hundredths of a second.
re_waited=0
re_pause() {
  if sleep 0.02 2>/dev/null; then
    re_waited=$((re_waited + 2))
  else
    sleep 1
    re_waited=$((re_waited + 100))
  fi
}

# re_lock FD LIMIT: the exclusive lock, within LIMIT hundredths of a second. It tries again and again because
# probes hold the lock for a moment, and because busybox's flock knows no -w.
re_lock() {
  re_waited=0
  until flock -n "$1"; do
    [ "$re_waited" -lt "$2" ] || return 1
    re_pause
  done
}

# re_is_free FILE: whether nobody holds the lock.
re_is_free() {
  [ -e "$1" ] || return 0
  { command exec 6<"$1"; } 2>/dev/null || return 0
  flock -n -s 6
  set -- "$?"
  exec 6<&-
  return "$1"
}

# re_find_exit: in re_exit and re_code how the job in this directory ended; both empty when it did not.
re_find_exit() {
  re_exit=
  re_code=
  for re_file in exit.[0-9]*; do
    [ -e "$re_file" ] || continue
    re_exit=$re_file
    re_code=${re_file#exit.}
    re_code=${re_code%%.*}
  done
}

# re_ticks PID: in re_start when the process began, in clock ticks since boot. The name in the second field may
# hold blanks, parentheses and newlines: what counts stands behind the last ") ".
re_ticks() {
  re_start=-
  re_stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -f
  # shellcheck disable=SC2086 # the fields of a line
  set -- ${re_stat##*) }
  set +f
  re_start=${20:--}
}

# re_here: which boot, host and pid namespace this is.
re_here() {
  re_boot=-
  { IFS= read -r re_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
  re_host=$(uname -n)
}
re_find_namespace() {
  re_namespace=$(readlink /proc/self/ns/pid 2>/dev/null)
  re_namespace=${re_namespace#*[}
  re_namespace=${re_namespace%]}
}

# re_read_run: what `run` says of the job's process; re_pid stays empty where there is none.
re_read_run() {
  re_pid='' re_run_start='' re_run_boot='' re_run_namespace='' re_run_host='' re_run=''
  [ -e run ] || return 1
  { IFS= read -r re_run <run; } 2>/dev/null
  set -f
  for re_word in $re_run; do
    case $re_word in
      pid=*) re_pid=${re_word#*=} ;;
      start=*) re_run_start=${re_word#*=} ;;
      boot=*) re_run_boot=${re_word#*=} ;;
      pidns=*) re_run_namespace=${re_word#*=} ;;
      host=*) re_run_host=${re_word#*=} ;;
    esac
  done
  set +f
}

# re_evaluate: in re_state the state of the job in this directory. Needs re_here.
re_evaluate() {
  re_find_exit
  re_read_run
  if [ -n "$re_exit" ]; then
    re_evaluate_ended
  elif ! [ -e spec ]; then
    re_state=incomplete
  elif ! [ -e started ]; then
    re_state=committed
  elif [ -n "$re_pid" ] && [ "$re_run_boot" != "$re_boot" ]; then
    # Another boot of this host; or another host with the same home, of which we know nothing.
    re_state=rebooted
    [ "$re_run_host" = "$re_host" ] || re_state=unknown
  elif ! re_is_free sup.lock; then
    re_state=running
    [ -n "$re_pid" ] || re_state=committed
  else
    re_evaluate_unsupervised
  fi
}

# The job has left its exit status. What it started may live on and holds its lock. A lock that was found free
# stays free: it is renamed, so that the next look needs no process for it.
re_evaluate_ended() {
  re_state='done'
  [ -e job.lock ] || return 0
  if re_is_free job.lock; then
    mv job.lock job.free 2>/dev/null
  else
    re_state=leftovers
  fi
}

re_evaluate_unsupervised() {
  if ! re_is_free job.lock; then
    re_state=unsupervised
    return
  fi
  re_find_exit # it may have ended while we looked
  if [ -n "$re_exit" ]; then
    re_evaluate_ended
    return
  fi
  re_find_namespace
  re_state=lost
  [ -z "$re_pid" ] || [ "$re_run_namespace" = "$re_namespace" ] || re_state=rebooted
}

# re_enter ID: makes the job's directory the current one.
re_enter() {
  cd "$HOME/.re/jobs/$1" 2>/dev/null && return
  re_trailer=NOJOB
  return 1
}

# re_size FILE: in re_bytes its size, 0 where there is none.
re_size() {
  re_bytes=0
  [ -e "$1" ] || return 0
  re_words=$(LC_ALL=C ls -ln "$1" 2>/dev/null)
  # shellcheck disable=SC2086 # the fields of a line
  set -- $re_words
  re_bytes=${5:-0}
}

# re_range FILE FROM TO: these bytes. dd seeks where `tail -c +N` of busybox would read the whole file.
re_range() {
  [ "$2" -lt "$3" ] || return 0
  dd if="$1" bs=65536 skip="$(($2 / 65536))" count="$((($3 + 65535) / 65536 - $2 / 65536))" 2>/dev/null |
    tail -c "+$(($2 % 65536 + 1))" | head -c "$(($3 - $2))"
}
