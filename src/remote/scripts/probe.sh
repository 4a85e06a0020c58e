# Functions of a ScriptCall (include/re/remote/host.hpp). One line per fact on stdout: a key, a blank, the value
# (src/remote/probe_text.cpp reads them). What a host cannot say is left out.

re_fact() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }

# Sets re_word to the N-th word of the text.
re_take_word() {
  re_nth=$1
  set -f
  # shellcheck disable=SC2086 # the words are wanted
  set -- $2
  set +f
  shift "$((re_nth - 1))" 2>/dev/null || set --
  re_word=${1-}
}

re_pause() { sleep "${1:-0.05}" 2>/dev/null || sleep 1; }

# re_limited SECONDS COMMAND...: runs the command in the background with its output in $re_scratch/out. Sets re_code
# to its exit code, or to "hangs" when it did not end in time. It is killed then; one that cannot be killed (it waits
# in the kernel) is left, with all the descriptors above 2 that it was given.
re_limited() {
  re_end=$(($(date +%s) + $1))
  shift
  rm -f "$re_scratch/code"
  (
    "$@" </dev/null >"$re_scratch/out" 2>&1 &
    echo "$!" >"$re_scratch/pid"
    wait "$!"
    echo "$?" >"$re_scratch/code.new"
    mv "$re_scratch/code.new" "$re_scratch/code"
  ) </dev/null >/dev/null 2>&1 &
  re_keeper=$!
  re_code=hangs
  re_looks=0 # what is quick is seen to end soon
  while :; do
    if [ -e "$re_scratch/code" ]; then
      wait "$re_keeper"
      read -r re_code <"$re_scratch/code"
      return 0
    fi
    if [ "$((re_looks += 1))" -le 8 ]; then
      re_pause 0.01
      continue
    fi
    [ "$(date +%s)" -le "$re_end" ] || break
    re_pause
  done
  kill -9 "$(cat "$re_scratch/pid")" "$re_keeper" 2>/dev/null
}

re_print_output() { sed "s/^/$1 /" "$re_scratch/out"; }

# Where /proc is missing (macOS) the same from POSIX tools and sysctl.
re_probe_load() {
  if [ -r "$re_proc/loadavg" ]; then
    read -r re_text <"$re_proc/loadavg"
  else
    re_text=$(LC_ALL=C uptime 2>/dev/null | sed 's/.*load average[s]*: *//; s/,/ /g')
  fi
  re_fact load "$re_text"
  if [ -r "$re_proc/uptime" ]; then
    read -r re_text _ <"$re_proc/uptime"
    re_fact uptime "$re_text"
  fi
}

re_probe_memory() {
  if [ -r "$re_proc/meminfo" ]; then
    sed -n 's/^MemTotal: *\([0-9]*\).*/memory_total_kib \1/p; s/^MemAvailable: *\([0-9]*\).*/memory_available_kib \1/p' \
      "$re_proc/meminfo"
  elif re_text=$(sysctl -n hw.memsize 2>/dev/null); then
    re_fact memory_total_kib "$((re_text / 1024))"
  fi
}

re_probe_system() {
  re_fact hostname "$(uname -n)"
  re_fact kernel "$(uname -srm)"
  re_fact clock "$(date +%s)"
  re_fact cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"
  if [ -r "$re_proc/sys/kernel/random/boot_id" ]; then
    read -r re_text <"$re_proc/sys/kernel/random/boot_id"
    re_fact boot_id "$re_text"
  fi
  re_probe_load
  re_probe_memory
  for re_name in rsync python3 python tmux docker apptainer flock setsid nvidia-smi; do
    re_path=$(command -v "$re_name") && re_fact "tool $re_name" "$re_path"
  done
}

# The file system that holds the directory, or would hold it.
re_disk() {
  re_place=$1
  until [ -e "$re_place" ] || [ "$re_place" = / ]; do
    case $re_place in
      */*) re_place=${re_place%/*} ;;
      *) re_place=. ;;
    esac
    [ -n "$re_place" ] || re_place=/
  done
  printf 'disk_place %s\n' "$re_place"
  df -Pk "$re_place" | sed -n '$s/^/disk /p'
  [ "$(uname -s)" != Linux ] || stat -f -c 'disk_type %T' "$re_place"
}

re_probe_disk() {
  case $1 in
    \~ | '') re_target=$HOME ;;
    \~/*) re_target=$HOME/${1#\~/} ;;
    /*) re_target=$1 ;;
    *) re_target=$HOME/$1 ;;
  esac
  re_limited 2 re_disk "$re_target"
  if [ "$re_code" = hangs ]; then echo "disk_hangs $re_target"; else cat "$re_scratch/out"; fi
}

# The lock is passed on to nvidia-smi: while one is stuck on this host, no other is started.
re_lock_smi() {
  command -v flock >/dev/null 2>&1 || return 0
  (umask 077 && mkdir -p "$HOME/.re") && command exec 9>>"$HOME/.re/probe.lock" || return 0
  re_end=$(($(date +%s) + $1))
  until flock -n 9; do
    [ "$(date +%s)" -lt "$re_end" ] || return 1
    re_pause
  done
}

# An older driver names one field that it does not know: the rest is asked again.
re_query_gpus() {
  re_fields=index,name,uuid,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu
  re_fields=$re_fields,power.draw,pci.bus_id,mig.mode.current
  while :; do
    re_limited "$1" nvidia-smi "--query-gpu=$re_fields" --format=csv,noheader,nounits
    re_unknown=$(sed -n 's/^Field "\([a-z._]*\)" is not a valid field to query.*/\1/p' "$re_scratch/out" | head -n 1)
    [ -n "$re_unknown" ] || break
    re_fewer=$(printf '%s' "$re_fields" | tr , '\n' | grep -vxF -e "$re_unknown" | tr '\n' , | sed 's/,$//')
    [ "$re_fewer" != "$re_fields" ] || break
    re_fields=$re_fewer
  done
}

re_is_first_pid_namespace() {
  re_text=$(readlink "$re_proc/self/ns/pid" 2>/dev/null) || return 0
  [ "$re_text" = 'pid:[4026531836]' ] # PROC_PID_INIT_INO, include/linux/proc_ns.h
}

# nvidia-smi's pids are those of the first pid namespace; elsewhere they would name strangers.
re_print_owners() {
  re_is_first_pid_namespace || return 0
  sed -n 's/^ *\([0-9][0-9]*\),.*/\1/p' "$re_scratch/out" | while read -r re_pid; do
    if [ -d "$re_proc/self" ]; then
      re_take_word 3 "$(ls -ld "$re_proc/$re_pid" 2>/dev/null)"
      re_fact owner "${re_word:+$re_pid $re_word}"
    else
      re_word=$(ps -o user= -p "$re_pid" 2>/dev/null)
      re_fact owner "${re_word:+$re_pid $re_word}"
    fi
  done
}

re_probe_gpus() {
  if ! re_lock_smi "$1"; then
    echo 'smi_code held'
    return 0
  fi
  re_query_gpus "$1"
  echo "smi_code $re_code"
  echo "smi_fields $re_fields"
  re_print_output smi
  [ "$re_code" != hangs ] || return 0
  if grep -q Enabled "$re_scratch/out"; then
    re_limited "$1" nvidia-smi -L
    [ "$re_code" = hangs ] || re_print_output list
  fi
  [ "$2" = processes ] || return 0
  re_limited "$1" nvidia-smi --query-compute-apps=pid,gpu_uuid,used_memory --format=csv,noheader,nounits
  echo "app_code $re_code"
  [ "$re_code" = hangs ] || { re_print_output app; re_print_owners; }
}

# re_probe DIRECTORY SECONDS processes|no-processes PROC
re_probe() {
  re_proc=$4
  re_probe_system
  re_scratch=$(mktemp -d /dev/shm/re.XXXXXX 2>/dev/null || mktemp -d) || { echo 'no_scratch yes'; return 0; }
  re_probe_disk "$1"
  if command -v nvidia-smi >/dev/null 2>&1; then
    re_probe_gpus "$2" "$3"
    exec 9>&-
  fi
  rm -rf "$re_scratch"
  echo 'complete yes'
}
