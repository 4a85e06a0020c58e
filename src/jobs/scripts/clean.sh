# shellcheck shell=sh
# Removing what ended jobs have left: their directories, and snapshots that no job needs. Never what a live job holds.
#   ~/.re/removed/<id>    an empty file for each job that was removed: a late repetition of its submission starts nothing
#   ~/.re/trash/<nonce>/  what a call deletes; what a killed one has left goes an hour later
# shellcheck disable=SC2154 # the variables of basics.sh and common.sh

# What lies below ~/.re/jobs or ~/.re/snapshots and is a job's or a finished snapshot's, in re_entries.
re_find_jobs() {
  re_entries=
  for re_entry in jobs/*; do
    case ${re_entry#jobs/} in *[!0-9a-z]*) continue ;; esac
    [ -d "$re_entry" ] && re_entries="$re_entries $re_entry"
  done
}
re_find_snapshots() {
  re_entries=
  for re_entry in snapshots/*; do
    case ${re_entry#snapshots/} in tmp.* | latest.* | *[!A-Za-z0-9._-]*) continue ;; esac
    [ -d "$re_entry" ] && re_entries="$re_entries $re_entry"
  done
}

# A file that several have links to counts for the first of them only.
# shellcheck disable=SC2086 # ids and names of snapshots are plain words
re_print_sizes() {
  [ $# -eq 0 ] || printf '%s\n' "$@" | LC_ALL=C xargs du -sk 2>/dev/null
}

# Which snapshots the jobs were made from, those too that are being submitted, and which are their projects' newest.
# shellcheck disable=SC2086
re_print_uses() {
  re_find_jobs
  for re_entry in jobs/.batch.*/* jobs/.new.*; do
    [ ! -d "$re_entry" ] || re_entries="$re_entries $re_entry"
  done
  [ -z "$re_entries" ] || printf '%s/plan\n' $re_entries | xargs grep '^re_snapshot=' /dev/null 2>/dev/null |
    sed -n "s|^jobs/\([.0-9a-z]*/\)*\([.0-9a-z]*\)/plan:re_snapshot='*\([A-Za-z0-9._-]*\)'*\$|uses \2 \3|p"
  for re_entry in snapshots/latest.*; do
    case $re_entry in snapshots/latest.*.*) continue ;; esac
    re_name=
    { IFS= read -r re_name <"$re_entry"; } 2>/dev/null
    [ -z "$re_name" ] || printf 'latest %s\n' "$re_name"
  done
}

# re_survey: what there is and how large it is, as lines (src/jobs/clean.cpp): "<KiB><tab>snapshots/<name>",
# "<KiB><tab>jobs/<id>", "uses <id> <snapshot>", "latest <snapshot>"; `end`.
# shellcheck disable=SC2086
re_survey() {
  if cd "$HOME/.re" 2>/dev/null; then
    re_find_snapshots
    re_all=$re_entries
    re_find_jobs
    re_print_sizes $re_all $re_entries
    re_print_uses
  fi
  echo end
}

# re_measure ENTRY...: how many KiB the removal of these frees ("jobs/<id>", "snapshots/<name>"), as "frees <KiB>". What
# stays is counted first, so that a file with links from both sides counts as staying.
# shellcheck disable=SC2086
re_measure() {
  cd "$HOME/.re" 2>/dev/null || { echo 'frees 0'; return 0; }
  re_going=" $* "
  re_find_snapshots
  re_all=$re_entries
  re_find_jobs
  re_stays=
  for re_entry in $re_all $re_entries; do
    case $re_going in *" $re_entry "*) ;; *) re_stays="$re_stays $re_entry" ;; esac
  done
  re_print_sizes $re_stays "$@" | {
    re_freed=0
    while read -r re_kib re_entry; do
      case $re_going in *" $re_entry "*) re_freed=$((re_freed + re_kib)) ;; esac
    done
    printf 'frees %s\n' "$re_freed"
  }
}

# re_clean ENTRY...: removes these, jobs first. A line for each: "removed <entry>", "kept <entry> <why>".
re_clean() {
  umask 077
  cd "$HOME/.re" || return 1
  re_top=$(pwd -P)
  re_trash=$re_top/trash/$re_nonce
  re_here
  re_make_trash 2>/dev/null || re_make_room "$@" || return 1
  for re_entry do
    re_why=
    case $re_entry in
      jobs/*) re_remove_job "${re_entry#jobs/}" ;;
      snapshots/*) re_remove_snapshot "${re_entry#snapshots/}" ;;
    esac
    if [ -z "$re_why" ]; then printf 'removed %s\n' "$re_entry"; else printf 'kept %s %s\n' "$re_entry" "$re_why"; fi
    cd "$re_top" || return 1
  done
  re_empty_trash
}

re_make_trash() {
  mkdir -p "trash/$re_nonce" removed
}

# re_make_room ENTRY...: a full disk has no room for the trash. So what these jobs have written goes first, until it has.
re_make_room() {
  for re_entry do
    case $re_entry in jobs/*) cd "$re_entry" 2>/dev/null || continue ;; *) continue ;; esac
    if command exec 8<. && re_lock 8 500; then
      re_evaluate
      case $re_state in 'done' | lost | rebooted | incomplete) re_remove_tree work && re_truncate log err ;; esac
    fi
    exec 8<&-
    cd "$re_top" || return 1
    re_make_trash 2>/dev/null && return
  done
  re_make_trash
}

re_truncate() {
  for re_file do
    if [ -e "$re_file" ]; then true >"$re_file"; fi
  done
}

# re_remove_job ID: in re_why what speaks against it. The lock keeps a repeated submission out.
re_remove_job() {
  re_why=gone
  cd "jobs/$1" 2>/dev/null || return 0
  re_why=locked
  { command exec 8<. && re_lock 8 500; } || return 0
  re_evaluate
  case $re_state in
    'done' | lost | rebooted | incomplete) re_why= ;;
    *) re_why=$re_state ;;
  esac
  re_fault clean.removed || re_why=failed
  if [ -z "$re_why" ]; then
    { true >"$re_top/removed/$1"; } 2>/dev/null && mv "$re_top/jobs/$1" "$re_trash/$1" || re_why=failed
  fi
  re_fault clean.renamed || re_why=failed
  exec 8<&-
}

# re_remove_snapshot NAME: in re_why what speaks against it. It is out of the way before the jobs are looked through; a
# submission writes its plan down before it looks for the snapshot, so that one of the two sees the other: at the second look
# if its directory got its name during the first.
re_remove_snapshot() {
  re_why=gone
  mv "snapshots/$1" "$re_trash/$1" 2>/dev/null || return 0
  re_why=
  re_fault clean.away || re_why=failed
  if [ -z "$re_why" ]; then
    { re_print_uses && re_print_uses; } | grep -q " $1\$" || return 0
    re_why=used
  fi
  mv "$re_trash/$1" "snapshots/$1" || re_why=failed
}

re_empty_trash() {
  re_remove_tree "trash/$re_nonce"
  find trash ! -name trash -prune -mmin +60 2>/dev/null >"$re_trash.old"
  find jobs ! -name jobs -prune '(' -name '.batch.*' -o -name '.new.*' ')' -mmin +60 2>/dev/null >>"$re_trash.old"
  while IFS= read -r re_entry; do
    re_remove_tree "$re_entry"
  done <"$re_trash.old"
  rm -f "$re_trash.old"
}
