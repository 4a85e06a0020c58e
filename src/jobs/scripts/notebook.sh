# shellcheck shell=sh
# Jupyter on a host: which one is there, and where a server of it that runs as a job listens.
# shellcheck disable=SC2034,SC2154 # what is shared with common.sh and the caller

# re_find_jupyter DIRECTORY: prints "home <path>", "uid <number>", "project yes" where the project's directory is there,
# and, where there is one, "program <path>" with a line "argument <word>" for each argument that it needs. The project's
# virtual environment comes first, then PATH, then where pip puts programs, then what python finds.
re_find_jupyter() {
  case $1 in
    /*) re_place=$1 ;;
    *) re_place=$HOME/$1 ;;
  esac
  printf 'home %s\nuid %s\n' "$HOME" "$(id -u)"
  [ ! -d "$re_place" ] || echo 'project yes'
  for re_bin in "$re_place/.venv/bin" "" "$HOME/.local/bin"; do
    for re_name in jupyter-lab jupyter-notebook jupyter-server; do
      if [ -z "$re_bin" ]; then
        re_path=$(command -v "$re_name") || continue
      else
        re_path=$re_bin/$re_name
        [ -x "$re_path" ] || continue
      fi
      printf 'program %s\n' "$re_path"
      return 0
    done
  done
  re_find_jupyter_module
}

re_find_jupyter_module() {
  for re_path in "$re_place/.venv/bin/python3" python3; do
    re_path=$(command -v "$re_path") || continue
    for re_name in jupyterlab notebook jupyter_server; do
      "$re_path" -c "import $re_name" >/dev/null 2>&1 </dev/null || continue
      printf 'program %s\nargument -m\nargument %s\n' "$re_path" "$re_name"
      return 0
    done
  done
}

# re_wait_jupyter ID LIMIT: prints the file in which the job's server says where it listens (JSON), as soon as it is there,
# within LIMIT hundredths of a second. The trailer is READY, WAIT, ENDED <exit code or ->, NONOTEBOOK or NOJOB.
re_wait_jupyter() {
  re_enter "$1" || return 1
  if ! grep -q 'export JUPYTER_RUNTIME_DIR=' plan 2>/dev/null; then
    re_trailer=NONOTEBOOK
    return 1
  fi
  re_here
  re_waited=0
  while :; do
    re_evaluate
    case $re_state in
      committed | running | unsupervised | unknown) ;;
      *)
        re_trailer="ENDED ${re_code:--}"
        return 0
        ;;
    esac
    for re_file in jupyter/jpserver-*.json jupyter/nbserver-*.json; do
      [ -s "$re_file" ] || continue
      cat "$re_file"
      re_trailer=READY
      return 0
    done
    if [ "$re_waited" -ge "$2" ]; then
      re_trailer=WAIT
      return 0
    fi
    re_pause
    re_pause
    re_pause
  done
}
