# Snapshots of a project, in ~/.re/snapshots; goes behind trees.sh:
#   <name>/manifest   what the tree holds; its format is specified in src/jobs/snapshot.cpp
#   <name>/tree/      those files; no w bits, directories 0555; unchanged files are hard links between snapshots
#   <name>/outline    how many files and links, and the names of executables, one a line: for work.sh. Not there when a
#                     file is larger than 1 MiB
#   latest.<project>  the name of a project's newest snapshot
#   tmp.<nonce>/      one that is being made; `maker` holds the pid of the shell that makes it
# Read-only is a guard against accidents, not against the owner. What is called from elsewhere runs in a subshell of its
# own, so that it may change directory and environment. $re_nonce is the call's (re/remote/host.hpp).
# shellcheck disable=SC2154

re_is_plain_name() {
  case $1 in
    '' | .* | -* | *[!A-Za-z0-9._-]* | tmp.* | latest.*) return 1 ;;
  esac
}

# Reads names, one a line, from $1 and runs the rest of the arguments on them, in few processes.
re_each_line() {
  re_list=$1
  shift
  [ -s "$re_list" ] || return 0
  tr '\n' '\0' <"$re_list" | xargs -0 "$@"
}

# "<sha256>  <name>" for the names, one a line, in the file $1; what cannot be read is left out.
re_sums_of() {
  if command -v sha256sum >/dev/null 2>&1; then
    re_each_line "$1" sha256sum
  elif command -v shasum >/dev/null 2>&1; then
    re_each_line "$1" shasum -a 256
  elif command -v openssl >/dev/null 2>&1; then
    re_each_line "$1" openssl dgst -sha256 -r | sed 's/^\([0-9a-f]*\) \*/\1  /'
  fi
}

re_sum_of_input() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256
  else
    openssl dgst -sha256 -r
  fi
}

re_can_sum() {
  command -v sha256sum || command -v shasum || command -v openssl
}

# re_prepare_project PROJECT_DIR PROJECT_ID DIRECTORY...: makes the project's directory with the directories in it, and
# marks it with the project's id. Says READY, or FOREIGN <id> when it is marked with another.
re_prepare_project() (
  LC_ALL=C && export LC_ALL
  re_find_absolute "$1"
  dir=$re_absolute
  id=$2
  shift 2
  mkdir -p "$dir" || return 1
  cd "$dir" || return 1
  if [ ! -e .re-project ]; then
    # A link is made whole or not at all: of two at once one wins, and both read the winner's id below.
    new=.re-project.$re_nonce
    printf '%s\n' "$id" >"$new" || { rm -f "$new"; return 1; }
    ln "$new" .re-project 2>/dev/null || [ -e .re-project ] || cp "$new" .re-project || return 1
    rm -f "$new"
  fi
  read -r found <.re-project || [ -n "$found" ] || { re_snapshot_fail "cannot read $dir/.re-project"; return 1; }
  if [ "$found" != "$id" ]; then
    printf 'FOREIGN %s\n' "$found"
    return 0
  fi
  for inner; do
    re_is_inner_path "$inner" || { re_snapshot_fail "not a directory inside the project: $inner"; return 1; }
    mkdir -p "./$inner" || return 1
  done
  echo READY
)

re_note_latest() {
  printf '%s\n' "$1" >"latest.$2.$re_nonce" && mv -f "latest.$2.$re_nonce" "latest.$2"
}

# re_have_snapshot NAME PROJECT_ID: says EXISTED or ABSENT.
re_have_snapshot() (
  re_is_plain_name "$1" || { re_snapshot_fail "not a snapshot's name: $1"; return 1; }
  re_is_plain_name "$2" || { re_snapshot_fail "not a project's id: $2"; return 1; }
  if cd "$HOME/.re/snapshots" 2>/dev/null && [ -f "$1/manifest" ]; then
    re_note_latest "$1" "$2"
    echo EXISTED
  else
    echo ABSENT
  fi
)

# Leftovers of makers that were killed. A maker may take longer than an hour: while its shell lives it is left alone.
re_remove_stale_snapshots() (
  find . ! -name . -prune -name 'tmp.*' -mmin +60 2>/dev/null | while IFS= read -r stale; do
    maker=
    read -r maker <"$stale/maker" 2>/dev/null
    [ -n "$maker" ] && kill -0 "$maker" 2>/dev/null && continue
    re_remove_tree "$stale"
  done
  find . ! -name . -prune -name 'latest.*.*' -mmin +60 -exec rm -f {} + 2>/dev/null
  return 0
)

# Splits `manifest` into lists of names: keep (the previous snapshot, $1, has the same content and mode), copy, sums (of
# copy), and run (of copy, to be executable). A file that was written to since the snapshot was made is not kept: a job
# may have forced its way into a linked one.
re_split_manifest() {
  { : >keep && : >copy && : >sums && : >run && : >touched; } || return 1
  re_old=/dev/null
  if [ -n "$1" ]; then
    re_old=$1/manifest
    (cd "$1/tree" && find . -type f -newer ../manifest) >touched || return 1
  fi
  # shellcheck disable=SC2016 # awk's variables
  awk '
    function is_file() { return substr($0, 65, 4) == "  ./" }
    FILENAME == "touched" { touched[$0] = 1; next }
    FILENAME != "manifest" {
      if (is_file()) old[substr($0, 67)] = substr($0, 1, 64)
      else if (substr($0, 1, 4) == "x ./") old_run[substr($0, 3)] = 1
      next
    }
    is_file() { name[++count] = substr($0, 67); sum[count] = substr($0, 1, 64) }
    substr($0, 1, 4) == "x ./" { run[substr($0, 3)] = 1 }
    END {
      for (i = 1; i <= count; i++) {
        n = name[i]
        same = (n in old) && old[n] == sum[i] && ((n in old_run) == (n in run))
        if (same && !(n in touched)) { print n >"keep"; continue }
        print n >"copy"
        print sum[i] "  " n >"sums"
        if (n in run) print n >"run"
      }
    }' touched "$re_old" manifest
}

# re_copy_list LIST FROM [rsync option...]: copies the files named in LIST from the directory FROM into tree/.
# A file that is missing or of another type is left out: the sums tell. Links on the way are not followed into.
re_copy_list() {
  re_list=$1
  re_from=$2
  shift 2
  [ -s "$re_list" ] || return 0
  if command -v rsync >/dev/null 2>&1; then
    rsync -t --no-implied-dirs --files-from="$re_list" "$@" "$re_from/" tree/ >problem 2>&1
    re_rc=$?
    # 23 and 24 are "some files were not there", and also what a full disk gives when a file is begun.
    case $re_rc in
      23 | 24) ! grep -E 'No space left|quota exceeded' problem >/dev/null ;;
      *) return "$re_rc" ;;
    esac
  else
    re_copy_slowly <"$re_list" 2>problem
  fi
}

re_copy_slowly() {
  while IFS= read -r re_name; do
    if [ ! -f "$re_from/$re_name" ] || [ -h "$re_from/$re_name" ]; then continue; fi
    mkdir -p "tree/${re_name%/*}" || return 1
    if [ "$re_list" = keep ]; then
      ln "$re_from/$re_name" "tree/$re_name" 2>/dev/null && continue
    fi
    cp -p "$re_from/$re_name" "tree/$re_name" || return 1
  done
}

# Links what is unchanged out of the previous snapshot $1; fails when that lacks any of it (`re clean` is at it).
re_keep_unchanged() {
  [ -s keep ] || return 0
  re_copy_list keep "$1/tree" -p --link-dest="$1/tree" &&
    [ "$(find tree -type f | wc -l)" -eq "$(wc -l <keep)" ]
}

# The names whose bytes are not the manifest's, as "changed <name>".
re_check_copies() {
  [ -s sums ] || return 0
  (cd tree && re_sums_of ../copy) >got 2>problem
  # shellcheck disable=SC2016 # awk's variables
  awk 'FILENAME == "got" { got[$0] = 1; next } !($0 in got) { print "changed " substr($0, 67) }' got sums
}

# What does not go by lists: `link TARGET PATH` and `file SHA256 x|- PATH`, three words behind the kind. A file's name here
# holds a control character or a backslash. Says "changed-extra <number>".
re_add_extras() {
  re_number=0
  while [ $# -ge 4 ] || { [ $# -ge 3 ] && [ "$1" = link ]; }; do
    re_number=$((re_number + 1))
    case $1 in
      link)
        re_add_link "$2" "$3" || return 1
        shift 3
        ;;
      *)
        re_add_odd_file "$2" "$3" "$4" || return 1
        shift 4
        ;;
    esac
  done
}

re_make_parent() {
  re_is_inner_path "$1" || { echo "unsafe path: $1" >&2; return 1; }
  case $1 in
    */*) mkdir -p "tree/${1%/*}" ;;
  esac
}

re_add_link() {
  re_make_parent "$2" || return 1
  ln -s -- "$1" "tree/$2"
}

re_add_odd_file() {
  re_make_parent "$3" || return 1
  if [ -f "$re_project/$3" ] && [ ! -h "$re_project/$3" ]; then
    cp -p "$re_project/$3" "tree/$3" || return 1
    re_got=$(re_sum_of_input <"tree/$3") || return 1
    if [ "${re_got%% *}" = "$1" ]; then
      if [ "$2" = x ]; then chmod 0555 "tree/$3"; else chmod 0444 "tree/$3"; fi
      return
    fi
  fi
  echo "changed-extra $re_number"
}

# Fills tmp.<nonce>, the current directory. The names of changed files go to `changed`.
re_fill_snapshot() {
  mkdir tree || return 1
  if ! re_split_manifest "$1" || ! re_keep_unchanged "$1"; then
    re_remove_tree tree && mkdir tree && re_split_manifest '' || return 1
  fi
  shift
  re_copy_list copy "$re_project" || return 1
  # A file that is missing here is found by its sum.
  (cd tree && re_each_line ../copy chmod 0444; re_each_line ../run chmod 0555) 2>/dev/null
  re_check_copies >changed || return 1
  re_add_extras "$@" >>changed || return 1
}

re_seal_snapshot() {
  re_write_outline && re_make_read_only && { sync -f . 2>/dev/null || sync; }
}

re_write_outline() {
  [ -z "$(find tree -type f -size +1048576c | head -n 1)" ] || return 0
  # shellcheck disable=SC2016 # awk's variables
  awk '
    /^f / && substr($0, 68, 1) == "x" { is_odd = 1 }
    /^x / { name[++runs] = substr($0, 3) }
    !/^[#x] / { count++ }
    END {
      if (is_odd) exit 1
      print count + 0
      for (i = 1; i <= runs; i++) print name[i]
    }' manifest >outline || rm -f outline
}

# Nothing may be newer than the manifest: that is what tells a file that was written to later. A link always is, and
# a file is when the client's clock is ahead of ours. A touch that knows no -h costs no more than speed.
re_make_read_only() {
  find tree -type d -exec chmod 0555 {} + \
    -o -newer manifest -exec sh -c 'touch -h -r manifest "$@" 2>/dev/null; :' sh {} + &&
    rm -f keep copy sums run touched got problem failure changed maker edits names
}

# Of two makers of one name the first rename wins. `mv` into a directory that has come meanwhile nests: that is undone.
re_publish_snapshot() {
  mv "$1" "$2" 2>/dev/null
  if [ -d "$1" ]; then
    re_remove_tree "$1"
    [ -f "$2/manifest" ] || return 1
    echo EXISTED
  elif [ -d "$2/$1" ]; then
    re_remove_tree "$2/$1"
    echo EXISTED
  else
    echo MADE
  fi
}

# re_make_snapshot NAME PROJECT_DIR PROJECT_ID MANIFEST EXTRA...: makes the snapshot from the files that lie in PROJECT_DIR
# and from the project's newest snapshot. Says MADE or EXISTED; or MISMATCH after lines "changed <path>" and "changed-extra
# <number>" when the project's files are not those of the manifest (then nothing stays). Fails with a line on stderr.
re_make_snapshot() (
  LC_ALL=C && export LC_ALL
  umask 077
  name=$1
  re_find_absolute "$2"
  re_project=$re_absolute
  id=$3
  manifest=$4
  shift 4
  re_is_plain_name "$name" || { re_snapshot_fail "not a snapshot's name: $name"; return 1; }
  re_is_plain_name "$id" || { re_snapshot_fail "not a project's id: $id"; return 1; }
  [ -n "$(re_can_sum)" ] || { re_snapshot_fail 'no sha256sum, shasum or openssl on this host'; return 1; }
  { mkdir -p "$HOME/.re/snapshots" && cd "$HOME/.re/snapshots"; } || return 1
  home=$(pwd -P)
  re_remove_stale_snapshots
  if [ -f "$name/manifest" ]; then
    re_note_latest "$name" "$id"
    echo EXISTED
    return 0
  fi
  previous=
  read -r previous 2>/dev/null <"latest.$id"
  if re_is_plain_name "$previous" && [ -f "$previous/manifest" ]; then previous=$home/$previous; else previous=; fi
  new=tmp.$re_nonce
  mkdir "$new" && cd "$new" || return 1
  printf '%s\n' "$$" >maker
  if ! printf '%s' "$manifest" >manifest || ! re_fill_snapshot "$previous" "$@" 2>failure; then
    re_snapshot_fail "cannot make the snapshot: $(cat problem failure 2>/dev/null | head -n 1 | cut -c 1-300)"
    cd .. && re_remove_tree "$new"
    return 1
  fi
  if [ -s changed ]; then
    cat changed
    echo MISMATCH
    cd .. && re_remove_tree "$new"
    return 0
  fi
  if ! re_seal_snapshot; then
    cd .. && re_remove_tree "$new"
    return 1
  fi
  cd .. || return 1
  re_publish_snapshot "$new" "$name" || { re_snapshot_fail "cannot rename the snapshot to $name"; return 1; }
  re_note_latest "$name" "$id"
)
