# shellcheck shell=sh
# What a host says of its jobs. One `test` and no process for a job that ended long ago.
# shellcheck disable=SC2154 # the variables of common.sh

# re_list all|live [ID...]
# Prints (src/jobs/listing.hpp): "now <epoch>", a line "job <id> <state> <exit file or ->" each, and below the words
# `spec`, `run` and `log` these files of the jobs that were listed; `end`.
re_list() {
  re_scope=$1
  shift
  re_listed=
  printf 'now %s\n' "$(date +%s)"
  if cd "$HOME/.re/jobs" 2>/dev/null; then
    re_here
    [ "$#" -gt 0 ] || set -- *
    for re_id do
      re_list_one
    done
    [ -z "$re_listed" ] || re_list_files
  fi
  echo end
}

re_list_one() {
  case $re_id in *[!0-9a-z]*) return ;; esac
  [ "$re_scope" = live ] && [ -e "$re_id/job.free" ] && return
  cd "$re_id" 2>/dev/null || return
  re_evaluate
  cd ..
  case $re_scope.$re_state in
    live.done | live.lost | live.rebooted | live.incomplete) return ;;
  esac
  printf 'job %s %s %s\n' "$re_id" "$re_state" "${re_exit:--}"
  re_listed="$re_listed $re_id"
}

# shellcheck disable=SC2086 # ids are plain words
re_list_files() {
  echo spec
  printf '%s/spec\n' $re_listed | xargs cat 2>/dev/null
  echo run
  printf '%s/run\n' $re_listed | xargs cat 2>/dev/null
  echo log
  printf '%s/log\n' $re_listed | LC_ALL=C xargs ls -ln 2>/dev/null
}
