# Functions of a ScriptCall (include/re/remote/host.hpp). One line per fact on stdout: a key, a blank, the value
# (src/remote/probe_text.cpp reads them). What a host cannot say is left out.

# The facts go out together: each write would be a packet of its own.
re_facts=
re_fact() {
  [ -z "$2" ] || re_facts="$re_facts$1 $2
"
}

re_print_facts() {
  printf '%s' "$re_facts"
  re_facts=
}

# Sets re_word to the N-th word of the text.
re_take_word() {
  re_nth=$1
  set -f
  # shellcheck disable=SC2086 # the words are wanted
  set -- $2
  set +f
  [ "$#" -ge "$re_nth" ] || set -- # too great a shift ends dash
  [ "$#" -eq 0 ] || shift "$((re_nth - 1))"
  re_word=${1-}
}

re_pause() { sleep "${1:-0.05}" 2>/dev/null || sleep 1; }

# Sets re_now to seconds of any clock.
re_look_at_clock() {
  if [ -r "$re_proc/uptime" ]; then
    IFS=. read -r re_now _ <"$re_proc/uptime"
  else
    re_now=$(date +%s)
  fi
}

# re_step NAME COMMAND...: runs the command with its output in $re_scratch.NAME, its pid and exit code beside it. In the
# background: it may never end.
re_step() {
  re_place_of_step=$re_scratch.$1
  shift
  "$@" </dev/null >"$re_place_of_step" 2>&1 &
  echo "$!" >"$re_place_of_step.pid"
  wait "$!"
  echo "$?" >"$re_place_of_step.code"
}

# re_await NAME SECONDS KEEPER: sets re_code to the exit code of a step of this background process, or to "hangs" when it
# does not end in time. It is killed then, behind its keeper, which would begin the next step; one that cannot be killed (it
# waits in the kernel) is left, with all the descriptors above 2 that it was given.
re_await() {
  re_code=
  re_looks=0 # what is quick is seen to end soon
  re_look_at_clock
  re_end=$((re_now + $2))
  while :; do
    if [ -s "$re_scratch.$1.code" ]; then
      read -r re_code <"$re_scratch.$1.code"
      return 0
    fi
    if [ "$((re_looks += 1))" -le 8 ]; then
      re_pause 0.01
      continue
    fi
    re_look_at_clock
    [ "$re_now" -le "$re_end" ] || break
    re_pause
  done
  re_code=hangs
  { read -r re_text <"$re_scratch.$1.pid"; } 2>/dev/null || re_text=
  kill -9 "$3" ${re_text:+"$re_text"} 2>/dev/null
}

# re_add_output KEY NAME: each line of a step's output is a fact. To gather many takes the square of their number.
re_add_output() {
  re_count=0
  while IFS= read -r re_line || [ -n "$re_line" ]; do
    re_fact "$1" "$re_line"
    [ "$(((re_count += 1) % 100))" -ne 0 ] || re_print_facts
  done <"$re_scratch.$2"
}

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
    while read -r re_name re_text _; do
      case $re_name in
        MemTotal:) re_fact memory_total_kib "$re_text" ;;
        MemAvailable:) re_fact memory_available_kib "$re_text"; break ;;
      esac
    done <"$re_proc/meminfo"
  elif re_text=$(sysctl -n hw.memsize 2>/dev/null); then
    re_fact memory_total_kib "$((re_text / 1024))"
  fi
}

# As glibc's sysconf() counts: "0-3,8" are five.
re_probe_cpus() {
  re_text=
  [ "$re_proc" != /proc ] || { read -r re_text </sys/devices/system/cpu/online; } 2>/dev/null
  re_count=0
  while [ -n "$re_text" ]; do
    re_word=${re_text%%,*}
    case $re_text in *,*) re_text=${re_text#*,} ;; *) re_text= ;; esac
    re_count=$((re_count + ${re_word#*-} - ${re_word%-*} + 1))
  done
  [ "$re_count" -gt 0 ] || re_count=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)
  re_fact cpus "$re_count"
}

re_probe_system() {
  re_take_word 2 "$re_system"
  re_fact hostname "$re_word"
  re_fact kernel "${re_system%%" $re_word "*} ${re_system#*" $re_word "}"
  re_fact clock "$(date +%s)"
  re_probe_cpus
  if [ -r "$re_proc/sys/kernel/random/boot_id" ]; then
    read -r re_text <"$re_proc/sys/kernel/random/boot_id"
    re_fact boot_id "$re_text"
  fi
  re_probe_load
  re_probe_memory
  for re_name in rsync python3 python tmux docker apptainer flock setsid nvidia-smi; do
    re_find_tool "$re_name" && re_fact "tool $re_name" "$re_text"
  done
  re_print_facts # what is asked next may never end
}

# Sets re_text to where it is.
re_find_tool() {
  if [ -n "$re_scratch" ]; then # without a process
    command -v "$1" >"$re_scratch.tool" && read -r re_text <"$re_scratch.tool"
  else
    re_text=$(command -v "$1")
  fi
} 2>/dev/null

# Sets re_system to what `uname -snrm` says: system, node, release, machine. Linux has them in files.
re_find_system() {
  re_system=
  for re_name in ostype hostname osrelease arch; do
    { read -r re_text <"$re_proc/sys/kernel/$re_name"; } 2>/dev/null || break
    re_system=$re_system${re_system:+ }$re_text
    [ "$re_name" != arch ] || return 0
  done
  re_system=$(uname -snrm)
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
  case $re_system in
    Linux\ *) stat -f -c 'disk_blocks %S %b %a %T' "$re_place" && return ;;
  esac
  df -Pk "$re_place"
}

# As a step, in one process less.
re_step_of_disk() {
  re_disk "$1" >"$re_scratch.disk" 2>&1
  echo "$?" >"$re_scratch.disk.code"
}

re_begin_disk() {
  case $1 in
    \~ | '') re_target=$HOME ;;
    \~/*) re_target=$HOME/${1#\~/} ;;
    /*) re_target=$1 ;;
    *) re_target=$HOME/$1 ;;
  esac
  re_step_of_disk "$re_target" </dev/null >/dev/null 2>&1 &
  re_disk_keeper=$!
}

re_end_disk() {
  re_await disk 2 "$re_disk_keeper"
  if [ "$re_code" = hangs ]; then
    re_fact disk_hangs "$re_target"
    return 0
  fi
  re_text=
  while IFS= read -r re_line; do
    case $re_line in
      disk_*) re_fact "${re_line%% *}" "${re_line#* }" ;;
      *) re_text=$re_line ;; # the last one of df
    esac
  done <"$re_scratch.disk"
  re_fact disk "$re_text"
}

# The lock is passed on to nvidia-smi: while one is stuck on this host, no other is started.
re_lock_smi() {
  re_has_lock=
  command -v flock >/dev/null 2>&1 || return 0
  [ -d "$HOME/.re" ] || (umask 077 && mkdir -p "$HOME/.re") || return 0
  command exec 9>>"$HOME/.re/probe.lock" || return 0
  re_look_at_clock
  re_end=$((re_now + $1))
  until flock -n 9; do
    re_look_at_clock
    [ "$re_now" -lt "$re_end" ] || return 1
    re_pause
  done
  re_has_lock=yes
}

# Sets re_unknown to the field that the driver does not know.
re_find_unknown_field() {
  re_unknown=
  read -r re_line <"$re_scratch.smi" || :
  case $re_line in
    'Field "'*'" is not a valid field to query'*)
      re_unknown=${re_line#*\"}
      re_unknown=${re_unknown%%\"*}
      ;;
  esac
}

# One after the other: of a card that hangs nothing else is asked.
re_steps_of_smi() {
  re_step smi nvidia-smi "--query-gpu=$re_fields" --format=csv,noheader,nounits
  re_find_unknown_field
  [ "$1" = processes ] && [ -z "$re_unknown" ] || return 0
  re_step app nvidia-smi --query-compute-apps=pid,gpu_uuid,used_memory --format=csv,noheader,nounits
}

re_begin_smi() {
  re_steps_of_smi "$1" </dev/null >/dev/null 2>&1 &
  re_smi_keeper=$!
}

# An older driver names one field that it does not know: the rest is asked again.
re_await_gpus() {
  while :; do
    re_await smi "$1" "$re_smi_keeper"
    re_find_unknown_field
    [ -n "$re_unknown" ] || break
    re_fewer=,$re_fields,
    re_fewer=${re_fewer%%",$re_unknown,"*},${re_fewer#*",$re_unknown,"}
    re_fewer=${re_fewer#,}
    re_fewer=${re_fewer%,}
    [ "${#re_fewer}" -lt "${#re_fields}" ] || break
    re_fields=$re_fewer
    wait "$re_smi_keeper"
    rm -f "$re_scratch.smi.code"
    re_begin_smi "$2"
  done
}

# Sets re_left to what is left of so many seconds when nvidia-smi has ended: the lock tells at once, where it has to be
# waited for, and again by looks. We have it ourselves afterwards. re_wait_for_smi SECONDS STEP
re_wait_for_smi() {
  re_left=$1
  [ ! -s "$re_scratch.$2.code" ] && [ -n "$re_has_lock" ] || return 0
  re_look_at_clock
  re_end=$((re_now + $1))
  command exec 9>&- 9>>"$HOME/.re/probe.lock" && flock -w "$1" 9
  re_look_at_clock
  re_left=$((re_end - re_now))
  [ "$re_left" -gt 0 ] || re_left=-1 # a second's remainder is over, too
}

re_is_first_pid_namespace() {
  re_text=$(readlink "$re_proc/self/ns/pid" 2>/dev/null) || return 0
  [ "$re_text" = 'pid:[4026531836]' ] # PROC_PID_INIT_INO, include/linux/proc_ns.h
}

# nvidia-smi's pids are those of the first pid namespace; elsewhere they would name strangers.
re_add_owners() {
  [ -s "$re_scratch.app" ] && re_is_first_pid_namespace || return 0
  while IFS=', ' read -r re_pid _; do
    case $re_pid in '' | *[!0-9]*) continue ;; esac
    if [ -d "$re_proc/self" ]; then
      re_take_word 3 "$(ls -ld "$re_proc/$re_pid" 2>/dev/null)"
      re_fact owner "${re_word:+$re_pid $re_word}"
    else
      re_word=$(ps -o user= -p "$re_pid" 2>/dev/null)
      re_fact owner "${re_word:+$re_pid $re_word}"
    fi
  done <"$re_scratch.app"
}

# re_begin_gpus SECONDS processes|no-processes
re_begin_gpus() {
  re_smi_keeper=
  command -v nvidia-smi >/dev/null 2>&1 || return 0
  if ! re_lock_smi "$1"; then
    re_fact smi_code held
    return 0
  fi
  re_fields=index,name,uuid,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu
  re_fields=$re_fields,power.draw,pci.bus_id,mig.mode.current
  re_begin_smi "$2"
}

# The same arguments.
re_end_gpus() {
  [ -n "$re_smi_keeper" ] || return 0
  if [ "$2" = processes ]; then re_wait_for_smi "$1" app; else re_wait_for_smi "$1" smi; fi 2>/dev/null
  re_await_gpus "$re_left" "$2"
  re_fact smi_code "$re_code"
  re_fact smi_fields "$re_fields"
  re_add_output smi smi
  [ "$re_code" != hangs ] || return 0
  if [ "$2" = processes ] && [ -z "$re_unknown" ]; then
    re_await app "$re_left" "$re_smi_keeper"
    re_fact app_code "$re_code"
    [ "$re_code" = hangs ] || { re_add_output app app; re_add_owners; }
  fi
  [ "$re_code" != hangs ] && re_has_slices || return 0
  re_step list nvidia-smi -L </dev/null >/dev/null 2>&1 &
  re_await list "$1" "$!"
  [ "$re_code" = hangs ] || re_add_output list list
}

re_has_slices() {
  while IFS= read -r re_line || [ -n "$re_line" ]; do
    case $re_line in *Enabled*) return 0 ;; esac
  done <"$re_scratch.smi"
  return 1
}

# Nobody else can know the name.
re_make_scratch() {
  umask 077
  for re_scratch in /dev/shm "${TMPDIR:-/tmp}" "$HOME"; do
    re_scratch=$re_scratch/re.${re_nonce:?}
    echo 2>/dev/null >"$re_scratch.smi" && return 0 # a full file system takes an empty file
    rm -f "$re_scratch.smi"
  done
  return 1
}

# re_probe DIRECTORY SECONDS processes|no-processes PROC
re_probe() {
  re_proc=$4
  re_find_system
  if re_make_scratch 2>/dev/null; then
    re_begin_disk "$1"
    re_begin_gpus "$2" "$3"
  else
    re_scratch=
  fi
  re_probe_system
  if [ -z "$re_scratch" ]; then
    echo 'no_scratch yes'
    return 0
  fi
  re_end_gpus "$2" "$3"
  re_end_disk
  exec 9>&-
  rm -f "$re_scratch".*
  re_fact complete yes
  re_print_facts
}
