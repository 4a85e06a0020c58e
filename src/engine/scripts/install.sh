# shellcheck shell=sh
# What `re install` asks a host, and the job that it submits there, both in the project's directory: packages into the
# project's own environment, .venv, or into the one that the configuration names.
#   <environment>/.re-installed.<project>  the hash of the set that was installed last

re_tell() {
  printf 're: %s\n' "$*" >&2
}

# re_find_environment PYTHON: in re_prefix the environment's directory, in re_python its interpreter, which need not be
# there, in re_base what makes a new one. PYTHON is an interpreter, an environment's directory, or empty.
re_find_environment() {
  re_prefix=$PWD/.venv
  re_python=$re_prefix/bin/python
  re_base=${1:-python3}
  case $1 in
    */*) ;;
    *) return ;;
  esac
  case $1 in
    '~'/*) re_python=$HOME/${1#*/} ;;
    *) re_python=$1 ;;
  esac
  [ ! -d "$re_python" ] || re_python=$re_python/bin/python
  re_prefix=${re_python%/bin/*}
  re_base=
}

# re_is_installed PYTHON PROJECT HASH: says UNCHANGED where this very set was installed last, else CHANGED.
re_is_installed() {
  re_find_environment "$1"
  re_found=
  { IFS= read -r re_found <"$re_prefix/.re-installed.$2"; } 2>/dev/null
  if [ "$re_found" = "$3" ] && [ -x "$re_python" ]; then echo UNCHANGED; else echo CHANGED; fi
}

# re_install_state DIRECTORY PYTHON PROJECT HASH: the same, asked from outside.
re_install_state() {
  case $1 in
    /*) re_project=$1 ;;
    *) re_project=$HOME/$1 ;;
  esac
  if cd "$re_project" 2>/dev/null; then re_is_installed "$2" "$3" "$4"; else echo CHANGED; fi
}

# re_install PYTHON PROJECT HASH HOW [WORD...]: HASH is empty where nothing is to be noted. HOW is one of
#   packages WORD...    these, as pip names them
#   requirements FILE   a requirements file
#   project             the project itself with what it depends on (pyproject.toml)
#   uv                  what uv.lock says
#   conda               what environment.yml says
re_install() {
  re_wanted=$1 re_project_id=$2 re_hash=$3 re_how=$4
  shift 4
  command exec 8<.re-project || return 1
  if ! flock -n 8; then
    re_tell 'another re install is at work; waiting for it'
    flock 8 || return 1
  fi
  re_find_environment "$re_wanted"
  rm -f "$re_prefix/.re-installed.$re_project_id"
  case $re_how in
    uv) re_with_uv || return ;;
    conda) re_with_conda || return ;;
    *)
      re_make_environment || return
      case $re_how in
        packages) re_pip "$@" || return ;;
        requirements) re_pip -r "$1" || return ;;
        project) re_pip -e . || return ;;
      esac
      ;;
  esac
  [ -z "$re_hash" ] || printf '%s\n' "$re_hash" >"$re_prefix/.re-installed.$re_project_id"
}

# What the machine has already, a large framework above all, is used and not downloaded again: hence the site packages.
re_make_environment() {
  if [ -x "$re_python" ]; then return; fi
  if [ -z "$re_base" ]; then
    re_tell "there is no interpreter $re_python on this host, which python = in the configuration names"
    return 1
  fi
  if ! command -v "$re_base" >/dev/null; then
    re_tell "this host has no $re_base (Debian: apt-get install python3-venv)"
    return 1
  fi
  re_tell "making $re_prefix"
  if re_made=$("$re_base" -m venv --system-site-packages .venv 2>&1); then return; fi
  rm -rf .venv
  if command -v uv >/dev/null; then
    uv venv --quiet --seed --system-site-packages --python "$re_base" .venv && return
  elif command -v virtualenv >/dev/null; then
    virtualenv --quiet --system-site-packages --python "$re_base" .venv && return
  fi
  printf '%s\n' "$re_made" >&2
  re_tell "$re_base cannot make a virtual environment (Debian: apt-get install python3-venv)"
  return 1
}

re_pip() {
  if "$re_python" -m pip --version >/dev/null 2>&1; then
    "$re_python" -m pip install --disable-pip-version-check --no-input "$@"
  elif command -v uv >/dev/null; then
    uv pip install --python "$re_python" "$@"
  else
    re_tell "$re_python has no pip, and this host has no uv"
    return 1
  fi
}

re_with_uv() {
  if command -v uv >/dev/null; then
    uv sync --frozen
  else
    re_tell 'the project has a uv.lock and this host has no uv (https://docs.astral.sh/uv/ says how to install it)'
    return 1
  fi
}

re_with_conda() {
  for re_tool in micromamba mamba conda; do
    command -v "$re_tool" >/dev/null || continue
    if [ -d "$re_prefix/conda-meta" ]; then re_verb=update; else re_verb=create; fi
    case $re_tool.$re_verb in
      micromamba.*) micromamba "$re_verb" --yes --prefix "$re_prefix" --file environment.yml ;;
      *) "$re_tool" env "$re_verb" --prefix "$re_prefix" --file environment.yml ;;
    esac
    return
  done
  re_tell 'the project has an environment.yml and this host has no conda, mamba or micromamba'
  return 1
}
