# shellcheck shell=sh
# Work trees, made from snapshots; goes behind trees.sh.
# shellcheck disable=SC2154

# Removes from the tree $2 what stands in the way of the tree $1: where one has a directory and the other something else,
# and every file that will be written (a link there must not be written through).
re_clear_way() (
  cd "$1" || return 1
  # shellcheck disable=SC2016 # the inner shell's variables
  find . -type d -exec sh -c '
    for dir; do
      if [ -h "$0/$dir" ] || { [ -e "$0/$dir" ] && [ ! -d "$0/$dir" ]; }; then rm -f "$0/$dir" || exit 1; fi
    done' "$2" {} + &&
    find . ! -type d -exec sh -c 'cd "$0" && rm -rf "$@"' "$2" {} +
)

# Links files over 16 MiB from the tree $1 into $2 and says so; copies where no link can be made.
re_link_big_files() (
  cd "$1" || return 1
  # shellcheck disable=SC2016 # the inner shell's variables
  find . -type f -size +16777216c -exec sh -c '
    for file; do
      mkdir -p "$0/${file%/*}" || exit 1
      if ln "$file" "$0/$file" 2>/dev/null; then
        size=$(ls -lnd "$file" | { read -r _ _ _ _ bytes _; echo "$bytes"; })
        shown=$(printf "%s" "${file#./}" | tr -d "[:cntrl:]")
        printf "re: %s (%s MiB) is linked read-only: copy it before writing to it\n" "$shown" $((size / 1048576))
      else
        cp -p "$file" "$0/$file" && chmod u+w "$0/$file" || exit 1
      fi
    done' "$2" {} +
)

# Copies the tree $1 over $2 and makes it writable. Without reflinks files over 16 MiB are linked instead.
re_copy_tree() {
  if cp --reflink=always "$1/../manifest" "$2/.re-probe" 2>/dev/null; then
    rm -f "$2/.re-probe"
    cp -a --reflink=auto "$1/." "$2/" && chmod -R u+w "$2"
    return
  fi
  rm -f "$2/.re-probe"
  if [ -z "$(find "$1" -type f -size +16777216c | head -n 1)" ]; then
    cp -a "$1/." "$2/" && chmod -R u+w "$2"
  elif command -v rsync >/dev/null 2>&1; then
    rsync -a --max-size=16777216 "$1/" "$2/" && chmod -R u+w "$2" && re_link_big_files "$1" "$2"
  else
    re_copy_small_files "$1" "$2" && chmod -R u+w "$2" && re_link_big_files "$1" "$2"
  fi
}

re_copy_small_files() (
  cd "$1" || return 1
  # shellcheck disable=SC2016 # the inner shell's variables
  find . -type d -exec sh -c 'cd "$0" && mkdir -p "$@"' "$2" {} + &&
    find . ! -type d ! -size +16777216c -exec sh -c '
      for file; do cp -pP "$file" "$0/$file" || exit 1; done' "$2" {} +
)

# The directory $3 of the project $2 becomes a link in the tree $1.
re_link_shared() {
  re_is_inner_path "$3" || { echo "shared directory is not inside the project: $3" >&2; return 1; }
  mkdir -p "$2/$3" || return 1
  re_at=$1
  re_rest=$3
  while :; do
    case $re_rest in
      */*) ;;
      *) break ;;
    esac
    re_at=$re_at/${re_rest%%/*}
    re_rest=${re_rest#*/}
    if [ -h "$re_at" ]; then
      echo "shared directory $3: a part of its path is a symbolic link in the project" >&2
      return 1
    fi
    [ -d "$re_at" ] || mkdir "$re_at" || return 1
  done
  re_remove_tree "$1/$3" && ln -s "$2/$3" "$1/$3"
}

re_fill_work() {
  re_work=$1
  re_tree=$2
  re_project=$3
  re_continued=$4
  shift 4
  mkdir "$re_work" || return 1
  if [ -n "$re_continued" ]; then
    [ -d "$re_continued/work" ] || { echo "the job to continue has no work tree: $re_continued" >&2; return 1; }
    cp -a "$re_continued/work/." "$re_work/" || return 1
    chmod -R u+w "$re_work" && re_clear_way "$re_tree" "$re_work" || return 1
  fi
  re_copy_tree "$re_tree" "$re_work" || return 1
  for re_shared; do
    re_link_shared "$re_work" "$re_project" "$re_shared" || return 1
  done
}

# re_make_plainly TREE PROJECT SHARED...: makes work.tmp here in the way that needs the fewest processes; fails where the
# snapshot has no outline or the tools cannot. The outline has no file above 1 MiB: what a link or a reflink of one would
# save is little.
re_make_plainly() {
  [ -e "$1/../outline" ] || return 1
  umask 022
  cp -a --no-preserve=mode "$1" work.tmp && re_make_executable <"$1/../outline" && re_link_all_shared "$@"
  set -- "$?"
  umask 077
  return "$1"
} 2>/dev/null

# The first line is not a name.
re_make_executable() {
  set --
  read -r re_name || return 1
  while IFS= read -r re_name; do set -- "$@" "$re_name"; done
  [ $# -eq 0 ] || (cd work.tmp && chmod 0755 "$@")
}

# re_link_all_shared TREE PROJECT SHARED...: one process for those that lie at the top and are nothing in the tree.
re_link_all_shared() {
  re_project=$2
  shift 2
  re_links=0
  for re_shared; do
    case $re_shared in
      */* | '' | . | ..) ;;
      *)
        if [ -d "$re_project/$re_shared" ] && [ ! -e "work.tmp/$re_shared" ] && [ ! -h "work.tmp/$re_shared" ]; then
          set -- "$@" "$re_project/$re_shared"
          re_links=$((re_links + 1))
          continue
        fi
        ;;
    esac
    re_link_shared work.tmp "$re_project" "$re_shared" || return 1
  done
  shift $(($# - re_links))
  [ $# -eq 0 ] || ln -s "$@" work.tmp/
}

# re_make_work JOB_DIR SNAPSHOT_TREE PROJECT_DIR CONTINUED_JOB_DIR SHARED...: makes JOB_DIR/work from a snapshot, on top of
# another job's work tree where one is named (else ''), with the project's shared directories linked into it. Writes notes
# to stdout. Fails with a line on stderr. Doing it again is no error; what a killed attempt has left is made anew.
re_make_work() (
  LC_ALL=C && export LC_ALL
  umask 077
  [ ! -d "$1/work" ] || return 0
  continued=$4
  case $3 in
    /*) project=$3 ;;
    *) project=$HOME/$3 ;;
  esac
  cd -P "$2" && tree=$PWD && cd - >/dev/null && cd -P "$1" || return 1
  job=$PWD
  shift 4
  [ ! -e work.tmp ] || re_remove_tree work.tmp || return 1
  if [ -z "$continued" ]; then
    re_make_plainly "$tree" "$project" "$@" && mv work.tmp work && return 0
    [ ! -e work.tmp ] || re_remove_tree work.tmp || return 1
  fi
  # The notes go through a file: of an attempt that fails, only the reason is said. The directory may get its name meanwhile
  # (place.sh): then this attempt fails, or what is left of it is done by names that still hold.
  if re_fill_work "$job/work.tmp" "$tree" "$project" "$continued" "$@" >work.notes 2>work.problem &&
    mv work.tmp work 2>>work.problem; then
    cat work.notes
    rm -f work.notes work.problem
    return 0
  fi
  re_snapshot_fail "cannot make the work tree: $(re_first_line work.problem)"
  re_remove_tree work.tmp
  rm -f work.notes work.problem
  return 1
)
