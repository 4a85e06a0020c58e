#!/bin/sh
# A throw-away remote machine on this one: a private sshd on a loopback port, with its own homes, accounts, /tmp,
# /run, host keys and process ids. Nothing outside DIR is changed, and when `run` ends, all that ran there has ended.
#
#   host.sh make DIR [USER:SHELL:PASSWORD]...   makes DIR (its parent must exist)
#   host.sh run DIR PORT                        runs it until this process is killed: by SIGKILL (mode plain: SIGTERM)
#
# In DIR: disk/ (home/, root/, tmp/, bin/ first in PATH, etc/), id (a private key that every account takes), host_key.pub,
# account (who logs in by default), mode:
#   root   full: several accounts, passwords. Mount, process and host-name namespaces.
#   user   the same for the calling user's own account, by key only. A user namespace more.
#   plain  where namespaces are refused: the calling user's own account by key, with HOME in DIR; what ran there is
#          found by a mark in its environment and killed.
# HOST_MODE forces one. disk/etc/extra.conf holds sshd options that win; while disk/etc/down exists, no sshd is started.
# In mode root `make` heeds also HOST_KEY_TYPE (ed25519, rsa), HOST_SERVER (openssh, dropbear), and HOST_SOFTWARE: an
# unpacked openssh-server that runs in place of the machine's. A file disk/etc/pam.sshd is its /etc/pam.d/sshd.
# Each run is a boot with a boot id of its own (not in mode plain); while disk/etc/container exists it has the machine's, as
# a container that was started again.
set -u

fail() {
  echo "host.sh: $*" >&2
  exit 1
}

spaces='--mount --pid --fork --kill-child=KILL --uts --mount-proc --propagation private'
user_spaces="--user --map-current-user --keep-caps $spaces"

find_mode() {
  # shellcheck disable=SC2086 # a list of options
  if [ -n "${HOST_MODE:-}" ]; then
    echo "$HOST_MODE"
  elif [ "$(id -u)" = 0 ] && unshare $spaces true 2>/dev/null; then
    echo root
  elif [ "$(id -u)" != 0 ] && unshare $user_spaces true 2>/dev/null; then
    echo user
  else
    echo plain
  fi
}

# Where DIR/disk is seen by those who log in.
base() {
  if [ "$(cat "$1/mode")" = plain ]; then echo "$1/disk"; else echo /run/host; fi
}

make_account() { # NAME SHELL PASSWORD UID
  echo "$1:x:$4:$4::/home/$1:$2" >>etc/passwd
  echo "$1:x:$4:" >>etc/group
  echo "$1:$(printf '%s' "$3" | openssl passwd -6 -stdin):19700:0:99999:7:::" >>etc/shadow
  make_home "home/$1"
  chown -R "$4:$4" "home/$1"
}

make_home() {
  mkdir -p "$1/.ssh"
  cp ../id.pub "$1/.ssh/authorized_keys"
  chmod 700 "$1" "$1/.ssh"
  chmod 600 "$1/.ssh/authorized_keys"
}

make_accounts() { # USER:SHELL:PASSWORD...
  cat >etc/passwd <<'EOF'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
sshd:x:106:65534::/run/sshd:/usr/sbin/nologin
EOF
  printf 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nutmp:x:43:\nnogroup:x:65534:\n' >etc/group
  printf 'root:*:19700:0:99999:7:::\nnobody:*:19700:0:99999:7:::\nsshd:*:19700:0:99999:7:::\n' >etc/shadow
  chmod 640 etc/shadow
  make_home root
  uid=4000
  for account in "$@"; do
    uid=$((uid + 1))
    rest=${account#*:}
    make_account "${account%%:*}" "${rest%%:*}" "${rest#*:}" $uid
  done
}

make_host() {
  dir=$1
  shift
  umask 022
  mkdir "$dir" || exit 1
  find_mode >"$dir/mode"
  mode=$(cat "$dir/mode")
  mkdir -p "$dir/disk"
  cd "$dir/disk" || exit 1
  mkdir -p home root tmp vartmp bin etc
  chmod 700 root
  chmod 1777 tmp vartmp
  ssh-keygen -q -t ed25519 -N '' -C re-testbed -f ../id || exit 1
  ssh-keygen -q -t "${HOST_KEY_TYPE:-ed25519}" -b 2048 -N '' -C re-testbed-host -f etc/ssh_host_key || exit 1
  cp etc/ssh_host_key.pub ../host_key.pub
  echo "${HOST_SERVER:-openssh}" >etc/server
  if [ "${HOST_SERVER:-openssh}" = dropbear ]; then
    dropbearconvert openssh dropbear etc/ssh_host_key etc/dropbear_host_key 2>/dev/null || exit 1
  fi
  if [ -n "${HOST_SOFTWARE:-}" ]; then echo "$HOST_SOFTWARE" >../software; fi
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >etc/machine-id
  : >etc/extra.conf
  if [ "$mode" = root ]; then
    make_accounts "$@"
    if [ $# -gt 0 ]; then echo "${1%%:*}"; else echo root; fi >../account
  else
    id -un >../account
    # Without the group tty, sshd leaves a terminal to the group it has, which it may not change here.
    grep -v '^tty:' /etc/group >etc/group
    make_home "home/$(id -un)"
  fi
  write_config
}

write_config() {
  at=$(base "$dir")
  keys=.ssh/authorized_keys
  environment="PATH=$at/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
  if [ "$mode" = plain ]; then
    keys=$at/home/$(id -un)/.ssh/authorized_keys
    environment="$environment HOME=$at/home/$(id -un) RE_TESTBED=$dir"
  fi
  # Of all options the first value holds, but of MaxStartups the last.
  cat >etc/sshd_config <<EOF
MaxStartups 200
Include $at/etc/extra.conf
ListenAddress 127.0.0.1
HostKey $at/etc/ssh_host_key
AuthorizedKeysFile $keys
PidFile none
UsePAM no
PasswordAuthentication $([ "$mode" = root ] && echo yes || echo no)
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
LogLevel VERBOSE
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
SetEnv $environment
EOF
}

mount_all() { # in the namespaces, before anything else runs there
  mount -t tmpfs -o mode=755 tmpfs /run || return 1
  mkdir -p /run/host /run/sshd /run/lock
  mount --bind "$dir/disk" /run/host || return 1
  cd /run/host || return 1
  if [ -f "$dir/software" ]; then # before /tmp is another, where it may lie
    software=$(cat "$dir/software")
    mount --bind "$software/usr/sbin/sshd" /usr/sbin/sshd || return 1
    mount --bind "$software/usr/lib/openssh" /usr/lib/openssh || return 1
  fi
  [ ! -f etc/pam.sshd ] || mount --bind etc/pam.sshd /etc/pam.d/sshd || return 1
  mount --bind tmp /tmp && mount --bind vartmp /var/tmp || return 1
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm || return 1
  [ ! -f /etc/machine-id ] || mount --bind etc/machine-id /etc/machine-id || return 1
  if [ "$mode" = root ]; then
    mount --bind home /home && mount --bind root /root && mount -t tmpfs tmpfs /var/log || return 1
    for file in passwd shadow group; do mount --bind etc/$file /etc/$file || return 1; done
    terminals=gid=5,mode=620
  else
    mount --bind "home/$(id -un)" "$HOME" && mount --bind etc/group /etc/group || return 1
    terminals=mode=620
  fi
  mount -t devpts -o newinstance,ptmxmode=0666,$terminals devpts /dev/pts || return 1
  [ -L /dev/ptmx ] || mount --bind /dev/pts/ptmx /dev/ptmx || return 1
  if [ ! -e etc/container ]; then
    cat /proc/sys/kernel/random/uuid >/run/boot_id
    mount --bind /run/boot_id /proc/sys/kernel/random/boot_id || return 1
  fi
  hostname re-testbed
}

# The first process there: starts sshd again whenever it ends, and reaps what lost its parent.
serve() {
  without=''
  [ "$mode" != user ] || without='setpriv --inh-caps=-all --ambient-caps=-all'
  if [ "$(cat "$1/etc/server")" = dropbear ]; then
    set -- "$1" /usr/sbin/dropbear -F -E -r "$1/etc/dropbear_host_key" -p "127.0.0.1:$port" -P /run/dropbear.pid
  else
    set -- "$1" /usr/sbin/sshd -D -e -f "$1/etc/sshd_config" -p "$port"
  fi
  at=$1
  shift
  while :; do
    # shellcheck disable=SC2086 # none or three words
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin $without "$@" &
    sshd=$!
    wait $sshd
    sleep 0.05
    while [ -e "$at/etc/down" ]; do sleep 0.05; done
  done
}

# Ends what mode plain cannot enclose: all processes that bear our mark, until none is left.
kill_marked() {
  # shellcheck disable=SC2317 # called by the trap
  for round in 1 2 3 4 5 6 7 8 9 10; do
    found=''
    for process in /proc/[0-9]*; do
      if tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qxF "RE_TESTBED=$dir"; then
        kill -KILL "${process#/proc/}" 2>/dev/null && found=$round
      fi
    done
    [ -n "$found" ] || return 0
    sleep 0.05
  done
}

run_plain() {
  made=''
  if [ "$(id -u)" = 0 ] && [ ! -e /run/sshd ]; then mkdir -p /run/sshd && made=/run/sshd; fi
  server=''
  # sshd writes its title over its environment, so it is known by its id alone.
  trap 'kill -KILL $server; kill_marked; [ -z "$made" ] || rmdir "$made"; exit 0' TERM INT HUP
  env RE_TESTBED="$dir" /usr/sbin/sshd -D -e -f "$dir/disk/etc/sshd_config" -p "$port" &
  server=$!
  wait $server
}

main() {
  verb=${1:-}
  dir=${2:-}
  [ -n "$dir" ] || fail "usage: host.sh make DIR [USER:SHELL:PASSWORD]... | host.sh run DIR PORT"
  case $verb in
    make)
      shift
      make_host "$@"
      ;;
    run)
      port=$3
      mode=$(cat "$dir/mode") || exit 1
      # shellcheck disable=SC2086 # lists of options
      case $mode in
        root) exec unshare $spaces "$0" init "$dir" "$port" ;;
        user) exec unshare $user_spaces "$0" init "$dir" "$port" ;;
        plain) run_plain ;;
      esac
      ;;
    init)
      port=$3
      mode=$(cat "$dir/mode") || exit 1
      mount_all || fail "cannot make the private mounts"
      serve /run/host
      ;;
    *) fail "no such verb: $verb" ;;
  esac
}

main "$@"
exit
