# shellcheck shell=sh
# What every script of a job needs, its supervisor too. A job's directory is ~/.re/jobs/<id>/; its state is in its file
# names, its liveness in two kernel locks (ARCHITECTURE.md, "A job on a host"). Descriptors: 3 and 4 hold the channel's
# stdin and stderr, 5 is where a runner answers, 6 is for short use, 7 is sup.lock, 8 the directory as a mutex, 9 job.lock.
# Processes are what a launch costs: what a builtin can do, a builtin does.
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

# re_ticks PID: in re_start when the process began, in clock ticks since boot, and in re_parent its parent. The name in the
# second field may hold blanks, parentheses and newlines: what counts stands behind the last ") ".
re_ticks() {
  re_start=- re_parent=- re_stat=
  { while IFS= read -r re_line; do re_stat="$re_stat$re_line "; done <"/proc/$1/stat"; } 2>/dev/null
  case $re_stat in *') '*) ;; *) return 1 ;; esac
  set -f
  # shellcheck disable=SC2086 # the fields of a line
  set -- ${re_stat##*) }
  set +f
  re_start=${20:--} re_parent=${2:--}
}

# re_here: which boot and host this is.
re_here() {
  re_boot=-
  { IFS= read -r re_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
  re_host=
  { IFS= read -r re_host </proc/sys/kernel/hostname; } 2>/dev/null
  [ -n "$re_host" ] || re_host=$(uname -n)
}

# re_read_uptime: in re_uptime the seconds since the boot.
re_read_uptime() {
  re_uptime=0
  { read -r re_uptime re_word </proc/uptime; } 2>/dev/null
  re_uptime=${re_uptime%%.*}
}

# re_read_clock AT EPOCH: in re_now the time, which was EPOCH when re_uptime was AT. A clock that is set is noticed within
# a minute.
re_read_clock() {
  re_read_uptime
  if [ "$((re_uptime - $1))" -lt 60 ]; then
    re_now=$(($2 + re_uptime - $1))
  else
    re_now=$(date +%s)
  fi
}
