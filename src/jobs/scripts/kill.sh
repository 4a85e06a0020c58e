# shellcheck shell=sh
# Ends a job with all it has started, and signals nothing else. Goes behind common.sh.
#
# What belongs to the job: the session and the process group of the recorded process, if that is the one that was recorded
# (start ticks, boot, pid namespace); processes with the job's marker in their environment; those that hold its lock; the
# children of all these, and the sessions that these lead. A process is named by its pid and its start ticks, read before
# anything else is known of it and again right before each signal: a pid that was given away meanwhile never matches.
# The supervisor is left alone until the rest is gone, so that it can write down the exit status.
# Cannot be caught: a process that has left the session, lost its parent, closed the lock and cleared its environment. A
# cgroup would catch it, too; the launcher makes none.
# shellcheck disable=SC2154 # the variables of common.sh

# re_kill GRACE SIGNAL ID...: GRACE in hundredths of a second, SIGNAL a number. Several jobs at a time. Says for each
# "report <id> <outcome> [<reason>]" and "survivor <id> <pid> <command line>".
re_kill() {
  re_grace=$1 re_signal=$2
  shift 2
  re_begin_looking
  re_jobs=0
  for re_id; do
    re_kill_job "$re_id" &
    re_jobs=$((re_jobs + 1))
    [ "$((re_jobs % 8))" -ne 0 ] || wait
  done
  wait
}

re_begin_looking() {
  LC_ALL=C
  export LC_ALL
  re_here
  re_uid=$(id -u)
}

# re_report OUTCOME [REASON]
re_report_kill() {
  printf 'report %s %s\n' "$re_id" "$*"
}

# Runs in a process of its own.
re_kill_job() {
  re_id=$1
  re_known='' re_sessions='' re_hardest='' re_leader=''
  re_enter "$re_id" || {
    re_kill_orphans
    return
  }
  # Not `:`, whose failure would end the shell. On a disk that takes nothing, what has begun is ended all the same.
  if ! true 2>/dev/null >>kill.req && ! [ -e started ]; then
    re_report_kill refused 'cannot write in its directory'
    return
  fi
  re_fault kill.requested || return
  re_find_exit
  if [ -z "$re_exit" ] && ! [ -e started ]; then
    re_report_kill not_running # a supervisor looks for kill.req after its claim: it will not begin
    return
  fi
  re_identify
  if [ -n "$re_refusal" ]; then
    if [ -n "$re_exit" ] && re_is_free job.lock; then
      re_report_kill already_ended
    else
      re_report_kill refused "$re_refusal"
    fi
    return
  fi
  re_end_processes
  re_conclude
}

# The job's directory was taken away while it ran: its marker and its lock, which has no name any more, tell what is its.
re_kill_orphans() {
  cd / || return
  re_end_processes
  re_hardest='' # nothing is to be written
  if [ -n "$re_ever" ]; then re_conclude; else re_report_kill unknown_job; fi
}

# re_find_orphans ID...: "orphan <id>" for those that run without a directory.
re_find_orphans() {
  re_begin_looking
  cd / || return
  for re_id; do
    [ -e "$HOME/.re/jobs/$re_id" ] && continue
    re_known='' re_sessions='' re_leader=''
    re_look
    [ -z "$re_own$re_foreign$re_supervisors" ] || printf 'orphan %s\n' "$re_id"
  done
}

# Whether the recorded process can be one of this system. In re_leader "<pid>:<start>", or nothing.
re_identify() {
  re_refusal=''
  if ! [ -r /proc/self/stat ]; then
    re_refusal='this host has no /proc'
  elif ! re_read_run; then
    return 0 # its supervisor is still preparing it
  elif [ "$re_run_boot" != "$re_boot" ]; then
    [ "$re_run_host" = "$re_host" ] || re_refusal="it runs on $re_run_host, this is $re_host"
  elif ! re_is_same_namespace; then
    re_is_free job.lock || re_refusal='it runs in another pid namespace'
  else
    re_leader=$re_pid:$re_run_start
  fi
}

# "<pid> <parent> <group> <session> <start> <state>" of every process. The name in the second field of the file may hold
# anything of 15 bytes, too few for a line of `head`, but behind the last ") " there are numbers only. One that ends while
# its file is read is no failure of head's, as it is of mawk's.
re_list_processes() {
  # shellcheck disable=SC2016 # awk's variables
  head -c 9999 /proc/[0-9]*/stat 2>/dev/null | awk '
    function finish(f) {
      if (match(text, /.*\) /) && split(substr(text, RLENGTH + 1), f, " ") >= 20) print pid, f[2], f[3], f[4], f[20], f[1]
      text = ""
    }
    /^==> \/proc\/[0-9]+\/stat <==$/ { finish(); split($0, part, "/"); pid = part[3]; next }
    { text = text $0 " " }
    END { finish() }'
}

# "m<pid>" of those with the marker in their environment. All are read by one `head`, which names each file; a value with
# newlines could forge such a name, so that those found are looked at again.
re_list_marked() {
  # shellcheck disable=SC2016 # awk's variables
  head -c 9999999 /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | RE_MARKER=RE_JOB_ID=$re_id awk '
    /^==> \/proc\/[0-9]+\/environ <==$/ { split($0, part, "/"); pid = part[3]; next }
    $0 == ENVIRON["RE_MARKER"] { print pid }' | while read -r re_found; do
    tr '\0' '\n' <"/proc/$re_found/environ" 2>/dev/null | grep -q -x -F "RE_JOB_ID=$re_id" && echo "m$re_found"
  done
}

# "m<pid>" of those that hold the job's lock, "s<pid>" of those that hold the supervisor's. Who only reads is a probe.
re_list_holders() {
  # shellcheck disable=SC2012,SC2016 # the targets of links, all at once; awk's variables
  ls -ln /proc/[0-9]*/fd 2>/dev/null | RE_ID=$re_id awk '
    function ends(text) { sub(/ \(deleted\)$/, ""); return substr($0, length($0) - length(text) + 1) == text }
    /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/"); pid = part[3]; next }
    substr($0, 3, 1) != "w" { next }
    ends("/" ENVIRON["RE_ID"] "/job.lock") { print "m" pid }
    ends("/" ENVIRON["RE_ID"] "/sup.lock") { print "s" pid }'
}

# From the processes on its input: "own <pid>:<start>", "supervisor …", and "session <id>" for those that belong to the job
# wholly. Never pid 1, never this script, its ancestors and its children.
re_choose() {
  # shellcheck disable=SC2016 # awk's variables
  RE_SEEDS=$re_seeds RE_KNOWN="$re_known $re_leader" RE_LEADER=$re_leader RE_SESSIONS=$re_sessions RE_SELF=$$ \
    awk '
    function is_ours(pid, steps) {
      for (steps = 0; steps < 1000 && pid > 1; steps++) {
        if (pid == ENVIRON["RE_SELF"]) return 1
        pid = parent[pid]
      }
      return 0
    }
    function add(pid) { if (pid > 1 && (pid in start)) job[pid] = 1 }
    { parent[$1] = $2; group[$1] = $3; session[$1] = $4; start[$1] = $5; state[$1] = $6 }
    END {
      count = split(ENVIRON["RE_KNOWN"], word, " ")
      for (i = 1; i <= count; i++) {
        split(word[i], part, ":")
        if (start[part[1]] == part[2]) { add(part[1]); alive[session[part[1]]] = 1 }
      }
      split(ENVIRON["RE_LEADER"], part, ":")
      leader = part[1]
      is_leader = leader != "" && start[leader] == part[2]
      count = split(ENVIRON["RE_SESSIONS"], word, " ")
      for (i = 1; i <= count; i++) if (word[i] in alive) whole[word[i]] = 1
      if (is_leader) whole[leader] = 1
      count = split(ENVIRON["RE_SEEDS"], word, "\n")
      for (i = 1; i <= count; i++) {
        add(substr(word[i], 2))
        if (word[i] ~ /^s/) supervisor[substr(word[i], 2)] = 1
      }
      do {
        changed = 0
        for (pid in start) {
          if (pid <= 1) continue
          if (!(pid in job)) {
            if (!((parent[pid] in job) || (session[pid] in whole) || (is_leader && group[pid] == leader))) continue
            job[pid] = 1
            changed = 1
          }
          if (session[pid] == pid && !(pid in whole)) { whole[pid] = 1; changed = 1 }
        }
      } while (changed)
      for (pid = ENVIRON["RE_SELF"]; pid > 1 && !(pid in ancestor); pid = parent[pid]) ancestor[pid] = 1
      for (pid in job) {
        if (pid in ancestor || state[pid] == "Z" || state[pid] == "X" || is_ours(pid)) continue
        print pid in supervisor ? "supervisor" : "own", pid ":" start[pid]
      }
      for (id in whole) print "session", id
    }'
}

# re_find_owner PID:START: its user's number in re_owner, empty where it has ended. Without a child process.
re_find_owner() {
  re_owner=''
  # shellcheck disable=SC2034 # re_rest: what follows the first of four numbers
  { while read -r re_word re_owner re_rest && [ "$re_word" != Uid: ]; do :; done <"/proc/${1%:*}/status"; } 2>/dev/null
}

# Looks once: in re_own, re_foreign, re_supervisors and re_sessions what there is. The processes are listed before it is
# known which are the job's, see above.
re_look() {
  re_processes=$(re_list_processes)
  re_seeds=$(
    re_list_marked
    re_list_holders
  )
  re_chosen=$(printf '%s\n' "$re_processes" | re_choose)
  re_own='' re_foreign='' re_supervisors='' re_sessions=''
  # shellcheck disable=SC2086 # words of our own
  set -- $re_chosen
  while [ $# -ge 2 ]; do
    [ "$1" = session ] || re_find_owner "$2"
    case $1:$re_owner in
      session:*) re_sessions="$re_sessions $2" ;;
      *:) ;;
      "own:$re_uid") re_own="$re_own $2" ;;
      "supervisor:$re_uid") re_supervisors="$re_supervisors $2" ;;
      *) re_foreign="$re_foreign $2" ;;
    esac
    shift 2
  done
  re_known="$re_own $re_foreign $re_supervisors"
}

# re_is_alive PID:START: whether that very process runs. Without a child process, so that little time passes between this
# and the signal.
re_is_alive() {
  re_stat=
  { while IFS= read -r re_line; do re_stat="$re_stat$re_line "; done <"/proc/${1%:*}/stat"; } 2>/dev/null
  re_stat=${re_stat##*) }
  case $re_stat in '' | [ZX]*) return 1 ;; esac
  re_wanted=${1#*:}
  set -f
  # shellcheck disable=SC2086 # the fields of a line
  set -- $re_stat
  set +f
  [ "${20-}" = "$re_wanted" ]
}

# re_send SIGNAL PID:START...
re_send() {
  re_number=$1
  shift
  for re_target; do
    re_is_alive "$re_target" && kill "-$re_number" "${re_target%:*}" 2>/dev/null
  done
}

re_any_alive() {
  for re_target; do
    re_is_alive "$re_target" && return 0
  done
  return 1
}

# Asks with the first signal, waits for the grace, then kills until two looks in a row find nothing.
re_end_processes() {
  re_look
  re_ever="$re_own$re_foreign$re_supervisors"
  [ -n "$re_ever" ] || return 0
  re_waited=0
  re_asked=' '
  if [ "$re_signal" -ne 9 ]; then
    while [ -n "$re_own" ]; do
      re_ask
      while [ "$re_waited" -lt "$re_grace" ]; do
        # shellcheck disable=SC2086 # a list of words
        re_any_alive $re_own || break
        re_pause
      done
      [ "$re_waited" -lt "$re_grace" ] || break
      re_look
    done
  fi
  re_fault kill.asked || return
  re_kill_hard
}

# The first signal, once for each process. One that is stopped gets it when it goes on.
re_ask() {
  re_hardest=$re_signal
  for re_process in $re_own; do
    case $re_asked in *" $re_process "*) continue ;; esac
    re_asked="$re_asked$re_process "
    re_send "$re_signal" "$re_process"
    re_send CONT "$re_process"
  done
}

re_kill_hard() {
  re_empty=0 re_round=0 re_killed=' '
  while [ "$re_empty" -lt 2 ] && [ "$re_round" -lt 25 ]; do
    re_round=$((re_round + 1))
    [ "$re_round" -eq 1 ] || re_look
    if [ -n "$re_own" ]; then
      re_empty=0
      re_freeze_and_kill
    elif [ -n "$re_supervisors" ]; then
      re_wait_for_supervisors
    else
      re_empty=$((re_empty + 1))
    fi
    [ "$re_empty" -ge 2 ] || re_pause
  done
}

# Stopped first and looked for again: what is stopped starts no more children while the others are killed.
re_freeze_and_kill() {
  re_hardest=9
  re_new=
  for re_process in $re_own; do
    case $re_killed in *" $re_process "*) ;; *) re_new="$re_new $re_process" ;; esac
  done
  if [ -n "$re_new" ]; then
    # shellcheck disable=SC2086 # a list of words
    re_send STOP $re_new
    re_look
  fi
  # shellcheck disable=SC2086 # a list of words
  re_send KILL $re_own
  re_killed=" $re_own "
}

# All else is gone: the supervisor writes the exit status and ends. If it does not, it is killed as well.
re_wait_for_supervisors() {
  re_waited=0
  # shellcheck disable=SC2086 # a list of words
  while [ "$re_waited" -lt 200 ] && re_any_alive $re_supervisors; do
    re_pause
  done
  re_look
  [ -z "$re_own" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  [ "$re_waited" -lt 200 ] || re_send KILL $re_supervisors
}

# Tells what has become of it. Never "killed" while the job's lock is held.
re_conclude() {
  re_left="$re_own$re_foreign$re_supervisors"
  re_kept=
  re_is_free job.lock || re_kept=1
  if [ -z "$re_left$re_kept" ]; then
    if [ -z "$re_ever" ]; then
      re_report_kill already_ended
      return
    fi
    re_write_exit
    re_report_kill killed
    return
  fi
  re_report_kill survivors
  for re_process in $re_left; do
    printf 'survivor %s %s %s\n' "$re_id" "${re_process%:*}" "$(re_describe "${re_process%:*}")"
  done
  [ -n "$re_left" ] || printf 'survivor %s 0 %s\n' "$re_id" 'a process that cannot be seen holds its lock'
}

# A command line fit for one line of text.
re_describe() {
  re_words=$(tr '\0\n' '  ' <"/proc/$1/cmdline" 2>/dev/null | tr -d '[:cntrl:]' | cut -c 1-200)
  if [ -z "$re_words" ]; then
    re_words="[$(sed -n 's/^Name:[[:blank:]]*//p' "/proc/$1/status" 2>/dev/null)]"
  fi
  printf '%s' "$re_words"
}

# Where no supervisor was left to do it: how the job ended is known, we ended it.
re_write_exit() {
  re_find_exit
  if [ -z "$re_exit" ] && [ -n "$re_hardest" ] && [ -e run ] && re_is_free sup.lock; then
    mv exit.pending "exit.$((128 + re_hardest)).$(date +%s)" 2>/dev/null
  fi
}
