# Functions of a ScriptCall (include/re/remote/host.hpp), behind those of probe.sh. One line per fact on stdout: a key, a
# blank, the value (src/remote/doctor_judge.cpp reads them); a key may come several times. What a host cannot say is left
# out. What other programs have to say is asked for at the same time, since any of them may hang.

# re_ask NAME COMMAND...: starts it with its output in $re_scratch/NAME.out.
re_ask() {
  re_asked="$re_asked $1"
  re_place=$re_scratch/$1
  shift
  (
    "$@" </dev/null >"$re_place.out" 2>&1 &
    echo "$!" >"$re_place.pid"
    wait "$!"
    echo "$?" >"$re_place.code"
  ) </dev/null >/dev/null 2>&1 &
  echo "$!" >"$re_place.keeper"
}

# The same for a program that may not be there.
re_ask_tool() {
  command -v "$2" >/dev/null 2>&1 && re_ask "$@"
}

# re_await SECONDS: until all have answered; who has not by then is killed.
re_await() {
  re_end=$(($(date +%s) + $1))
  re_looks=0
  for re_name in $re_asked; do
    until [ -s "$re_scratch/$re_name.code" ]; do
      if [ "$((re_looks += 1))" -le 20 ]; then
        re_pause 0.01
        continue
      fi
      [ "$(date +%s)" -le "$re_end" ] || break
      re_pause
    done
    [ -s "$re_scratch/$re_name.code" ] ||
      kill -9 "$(cat "$re_scratch/$re_name.keeper")" "$(cat "$re_scratch/$re_name.pid")" 2>/dev/null
  done
}

# re_tell NAME: "NAME_code CODE" (or "hangs"), and each line of the output as "NAME LINE".
re_tell() {
  re_code=hangs
  [ ! -s "$re_scratch/$1.code" ] || read -r re_code <"$re_scratch/$1.code"
  printf '%s_code %s\n' "$1" "$re_code"
  [ "$re_code" = hangs ] || sed -n "1,40s/^/$1 /p" "$re_scratch/$1.out"
}

re_disk_facts() {
  df -Pk "$1" | sed -n '$s/^/blocks /p'
  df -Pi "$1" 2>/dev/null | sed -n '$s/^/inodes /p'
  [ "$(uname -s)" != Linux ] || stat -f -c 'type %T' "$1" 2>/dev/null
  re_lock_directory=$(mktemp -d "$1/.re-doctor.XXXXXX") || { echo 'writable no'; return 0; }
  echo 'writable yes'
  if command -v flock >/dev/null 2>&1; then
    if re_error=$( (command exec 7>"$re_lock_directory/lock" && flock -n 7) 2>&1); then
      echo 'lock works'
    else
      echo "lock $re_error" | sed q
    fi
  fi
  rm -rf "$re_lock_directory"
}

re_python_facts() {
  python3 -c 'import sys
print("version %d.%d.%d" % sys.version_info[:3])
try:
    import ensurepip, venv
    print("venv works")
except ImportError:
    pass'
}

# What systemd does with a session's processes when it ends concerns those that are in one.
re_session_facts() {
  grep -q 'session-[^/]*\.scope' /proc/self/cgroup 2>/dev/null || { echo 'scope none'; return 0; }
  echo 'scope session'
  loginctl show-user -p KillUserProcesses -p KillExcludeUsers -p KillOnlyUsers
  loginctl show-user "$(id -un)" -p Linger
}

re_doctor_ask() {
  re_ask home re_disk_facts "$HOME"
  re_ask spool re_disk_facts /var/tmp
  re_ask_tool setsid setsid -f true
  re_ask_tool rsync rsync --version
  re_ask_tool tmux tmux -V
  re_ask_tool docker docker version --format '{{.Server.Version}}'
  re_ask_tool sinfo sinfo -h -o '%P %a'
  re_ask_tool quota quota -q
  ! command -v python3 >/dev/null 2>&1 || re_ask python re_python_facts
  ! command -v loginctl >/dev/null 2>&1 || re_ask session re_session_facts
  command -v nvidia-smi >/dev/null 2>&1 || return 0
  if re_lock_smi 2; then
    re_ask smi nvidia-smi --query-gpu=driver_version,name --format=csv,noheader
    exec 9>&-
  else
    echo 'smi_code held'
  fi
}

# re_doctor SECONDS
re_doctor() {
  re_fact user "$(id -un)"
  re_fact shell "${SHELL-}"
  re_fact umask "$(umask)"
  re_fact system "$(uname -s)"
  [ ! -r /proc/self/stat ] || re_fact proc yes
  for re_name in rsync flock setsid tail ln mkfifo sha256sum shasum openssl tmux docker nvidia-smi python3 sinfo \
    jupyter-lab jupyter-notebook jupyter-server jupyter apptainer singularity; do
    re_path=$(command -v "$re_name") && re_fact tool "$re_name $re_path"
  done
  re_print_facts
  re_scratch=$(mktemp -d /dev/shm/re.XXXXXX 2>/dev/null || mktemp -d) || { echo 'no_scratch yes'; return 0; }
  re_asked=
  re_doctor_ask
  re_await "$1"
  for re_name in $re_asked; do re_tell "$re_name"; done
  rm -rf "$re_scratch"
  echo 'complete yes'
}
