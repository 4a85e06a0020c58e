# shellcheck shell=sh
# What the scripts that look at jobs share; goes behind basics.sh.
# shellcheck disable=SC2034,SC2154 # what is set here is read by the other files, and theirs here

# re_is_free FILE: whether nobody holds the lock.
re_is_free() {
  [ -e "$1" ] || return 0
  { command exec 6<"$1"; } 2>/dev/null || return 0
  flock -n -s 6
  set -- "$?"
  exec 6<&-
  return "$1"
}

re_find_namespace() {
  re_namespace=${re_namespace-$(readlink /proc/self/ns/pid 2>/dev/null)}
  re_namespace=${re_namespace#*[}
  re_namespace=${re_namespace%]}
}

# re_read_run: what `run` says of the job's process; re_pid stays empty where there is none.
re_read_run() {
  re_pid='' re_run_start='' re_run_boot='' re_run_namespace='' re_run_init='' re_run_host='' re_run=''
  [ -s run ] || return 1
  { IFS= read -r re_run <run; } 2>/dev/null || return 1 # it is just being written
  set -f
  for re_word in $re_run; do
    case $re_word in
      pid=*) re_pid=${re_word#*=} ;;
      start=*) re_run_start=${re_word#*=} ;;
      boot=*) re_run_boot=${re_word#*=} ;;
      pidns=*) re_run_namespace=${re_word#*=} ;;
      init=*) re_run_init=${re_word#*=} ;;
      host=*) re_run_host=${re_word#*=} ;;
    esac
  done
  set +f
}

# re_is_same_namespace: whether the recorded process was of our pid namespace. That of a container that was started again
# may have the number of the old one: its first process is another.
re_is_same_namespace() {
  re_find_namespace
  [ "$re_run_namespace" = "${re_namespace:--}" ] || return 1
  re_ticks 1
  [ "${re_run_init:-$re_start}" = "$re_start" ]
}

# Whether the job, which has not begun, may begin: one that is not written out before that begins in its own boot only.
re_is_of_this_boot() {
  [ -e boot ] || return 0
  re_word='' re_run_host=''
  { read -r re_word re_run_host <boot; } 2>/dev/null
  [ "$re_word" = "$re_boot" ] || [ "$re_run_host" != "$re_host" ]
}

# re_evaluate: in re_state the state of the job in this directory. Needs re_here.
re_evaluate() {
  re_find_exit
  re_read_run
  if [ -n "$re_exit" ]; then
    re_evaluate_ended
  elif ! [ -s spec ]; then
    re_state=incomplete
  elif ! [ -e started ]; then
    re_state=committed
    re_is_of_this_boot || re_state=rebooted
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

# The job has left its exit status. What it started may live on and holds its lock; so does its supervisor, for a moment
# more. A lock that was found free stays free: it is renamed, so that the next look needs no process for it.
re_evaluate_ended() {
  re_state='done'
  [ -e job.lock ] || return 0
  if re_is_free job.lock || { ! re_is_free sup.lock && re_pause && re_is_free job.lock; }; then
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
  re_state=lost
  [ -z "$re_pid" ] || re_is_same_namespace || re_state=rebooted
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
  [ -s "$1" ] || return 0
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
