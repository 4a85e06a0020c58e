# shellcheck shell=sh
# A snapshot made from one that is there and from a few small files that came with the launch. Whatever is not as it
# must be: the snapshot counts as missing, and the client sends it in the other way. So nothing here says why it failed.
# shellcheck disable=SC2154 # the variables of launch.sh

# re_patch_snapshot NAME BASE PROJECT_DIR PROJECT_ID EDITS SUMS UNLINKED EMPTIED RUN [MODE TIME PATH CONTENT]...
#   EDITS turns the base's manifest into the new one: "d <line>" drops that line, "a <line> <text>" adds a line behind it.
#   SUMS is what sha256sum must say of the new manifest and of each file. UNLINKED, EMPTIED and RUN are names, one a
#   line, each with ./ in front: files to take out of the tree, directories that go with them (children first), and the
#   files below that are executable. TIME is empty for a new directory; parents come before children.
# The project's own directory gets the files as rsync would have left them.
re_patch_snapshot() (
  trap : HUP PIPE # what a subshell inherits is the default
  re_patch "$@"
) </dev/null >/dev/null 2>&1

re_patch() {
  LC_ALL=C TZ=UTC0
  export LC_ALL TZ
  re_find_absolute "$3"
  re_name=$1 re_base=$2 re_project=$re_absolute re_id=$4 re_edits=$5 re_sums=$6
  re_unlinked=$7 re_emptied=$8 re_run=$9
  shift 9
  re_is_plain_name "$re_name" && re_is_plain_name "$re_base" && re_is_plain_name "$re_id" || return 1
  cd "$HOME/.re/snapshots" || return 1
  re_fault patch.begin || return 1
  if [ -f "$re_name/manifest" ]; then
    re_follow_with_project "$@"
    return 0
  fi
  re_is_in_step || return 1
  re_new=tmp.$re_nonce
  re_tree=$HOME/.re/snapshots/$re_new/tree
  re_take_links || mkdir "$re_new" || return 1
  cd "$re_new" || return 1
  if printf '%s\n' "$$" >maker && re_patch_tree "$@" && re_patch_project "$@" && re_finish_patch; then return 0; fi
  cd "$HOME/.re/snapshots" && re_remove_tree "$re_new"
  return 1
}

# Whether a shell that was started ahead has linked the base's files (place.sh).
re_take_links() {
  [ -n "${re_place-}" ] && [ "${re_linked-}" = "$re_base" ] && mv "$re_place/linked" "$re_new"
}

# The snapshot was there (an edit was undone): the project's directory is brought to it, or the next patch would find it
# out of step.
re_follow_with_project() {
  re_tree=
  re_is_in_step && re_patch_project "$@" && re_note_latest "$re_name" "$re_id"
}

# Whether the project's directory is the project's, and holds the base: the newest snapshot is what was there last. It is
# another one when another client has been here.
re_is_in_step() {
  re_found=
  [ -f "$re_project/.re-project" ] && read -r re_found <"$re_project/.re-project"
  [ "$re_found" = "$re_id" ] || return 1
  re_found=
  [ -f "latest.$re_id" ] && read -r re_found <"latest.$re_id"
  [ "$re_found" = "$re_base" ]
}

# Only what is new is written out: on a busy host a sync of the file system may take longer than a launch may. What came
# before the rename in the journal (the links) is on the disk before it.
re_finish_patch() {
  re_fault patch.seal || return 1
  re_make_read_only || return 1
  re_fault patch.sync || return 1
  [ ! -e outline ] || re_names="../outline
$re_names"
  re_on_names tree "../manifest
$re_names" sync && cd .. || return 1
  re_fault patch.publish || return 1
  re_publish_snapshot "$re_new" "$re_name" || return 1
  re_note_latest "$re_name" "$re_id"
  return 0
}

# re_on_names DIRECTORY LIST COMMAND...: the command, in the directory, with the names of the list.
re_on_names() (
  [ -n "$2" ] || return 0
  cd "$1" || return 1
  re_list=$2
  shift 2
  set -f
  IFS='
'
  # shellcheck disable=SC2086 # names, one a line
  "$@" $re_list
)

re_patch_tree() {
  re_fault patch.manifest || return 1
  re_derive_manifest || return 1
  re_fault patch.link || return 1
  [ -d tree ] || cp -al "../$re_base/tree" tree || return 1
  re_is_whole_copy || return 1
  re_fault patch.unlink || return 1
  re_on_names tree "$re_unlinked" rm -f && re_on_names tree "$re_emptied" rmdir || return 1
  re_fault patch.write || return 1
  re_write_tree "$@" || return 1
  re_fault patch.modes || return 1
  re_on_names tree "$re_names" chmod 0444 && re_on_names tree "$re_run" chmod 0555 || return 1
  re_fault patch.sums || return 1
  [ "$(re_tree_sums)" = "$re_sums" ]
}

re_tree_sums() {
  re_names="../manifest
$re_names"
  if command -v sha256sum >/dev/null; then
    re_on_names tree "$re_names" sha256sum
  else
    printf '%s' "$re_names" >names && (cd tree && re_sums_of ../names)
  fi
}

# Writes manifest, and outline where the base has one; in re_count how many files and links the base has.
re_derive_manifest() {
  printf '%s' "$re_edits" >edits || return 1
  # shellcheck disable=SC2016 # awk's variables
  re_count=$(awk '
    function put(line) {
      print line >"manifest"
      if (substr(line, 1, 2) == "x ") name[++runs] = substr(line, 3)
      else if (substr(line, 1, 1) != "#") entries++
    }
    FILENAME == "edits" {
      text = substr($0, length($2) + 4)
      if ($1 == "d") drop[$2] = 1
      else if ($2 in add) add[$2] = add[$2] "\n" text
      else add[$2] = text
      next
    }
    !/^[#x] / { count++ }
    !(FNR in drop) { put($0) }
    FNR in add { lines = split(add[FNR], part, "\n"); for (i = 1; i <= lines; i++) put(part[i]) }
    END {
      print count + 0
      print entries + 0 >"outline"
      for (i = 1; i <= runs; i++) print name[i] >"outline"
    }' edits "../$re_base/manifest") && { [ -e "../$re_base/outline" ] || rm -f outline; }
}

# Whether the copy has all files and links of the base, none of which was written to since the base was made: such a
# one is counted twice. Its directories become writable.
re_is_whole_copy() {
  re_found=$(find tree -type d -exec chmod u+rwx {} + -o -print0 -newer "../$re_base/manifest" -print0 |
    tr -dc '\000' | wc -c)
  [ "$re_found" -eq "$re_count" ]
}

# Never into a file that is there: its inode is the base's.
re_write_tree() {
  re_names=
  while [ $# -ge 4 ]; do
    re_is_inner_path "$3" || return 1
    if [ -z "$2" ]; then
      mkdir "tree/$3" || return 1
    else
      if [ -e "tree/$3" ] || [ -h "tree/$3" ]; then return 1; fi
      printf '%s' "$4" >"tree/$3" || return 1
      re_names="$re_names./$3
"
    fi
    shift 4
  done
}

re_patch_project() (
  cd "$re_project" || return 1
  re_make_way "$@" && re_write_copies "$@" && re_set_modes "$@" && re_rename_copies "$@" && return 0
  re_remove_copies "$@"
  return 1
)

# rsync makes what is in the way go; we leave that to it.
re_make_way() {
  re_fault patch.way || return 1
  while [ $# -ge 4 ]; do
    re_is_plain_parent "$3" && [ ! -h "$3" ] || return 1
    if [ -z "$2" ]; then
      if [ ! -d "$3" ]; then mkdir "./$3" || return 1; fi
      chmod "$1" "./$3" || return 1
    elif [ -e "$3" ] && [ ! -f "$3" ]; then
      return 1
    fi
    shift 4
  done
}

# Whether all that leads to the path is directories, and no links.
re_is_plain_parent() {
  re_rest=$1
  re_at=.
  while :; do
    case $re_rest in
      */*) ;;
      *) return 0 ;;
    esac
    re_at=$re_at/${re_rest%%/*}
    re_rest=${re_rest#*/}
    [ -d "$re_at" ] && [ ! -h "$re_at" ] || return 1
  done
}

# re_name_copy NUMBER PATH: in re_copy what the file is called until it is whole.
re_name_copy() {
  re_copy=./.re-patch.$re_nonce.$1
  case $2 in
    */*) re_copy=./${2%/*}/.re-patch.$re_nonce.$1 ;;
  esac
}

re_write_copies() {
  re_fault patch.copies || return 1
  while [ $# -ge 4 ]; do
    if [ -n "$2" ]; then
      re_name_copy $# "$3"
      printf '%s' "$4" >"$re_copy" && re_set_time "$2" "$re_copy" ${re_tree:+"$re_tree/$3"} || return 1
    fi
    shift 4
  done
}

# busybox has no fractions of a second. rsync sends again what has another time, so that this hides no change.
re_set_time() {
  re_time=$1
  shift
  touch -d "$re_time" "$@" && return
  # shellcheck disable=SC2086 # the fields of a time
  re_time=$(IFS=-T: && set -- ${re_time%.*} && printf '%s' "$1$2$3$4$5.$6") && touch -t "$re_time" "$@"
}

# One call for all neighbours that have one mode.
re_set_modes() {
  re_fault patch.chmod || return 1
  re_mode=
  re_list=
  while [ $# -ge 4 ]; do
    if [ -n "$2" ]; then
      if [ "$1" != "$re_mode" ]; then
        re_on_names . "$re_list" chmod "$re_mode" || return 1
        re_mode=$1
        re_list=
      fi
      re_name_copy $# "$3"
      re_list="$re_list$re_copy
"
    fi
    shift 4
  done
  re_on_names . "$re_list" chmod "$re_mode"
}

re_rename_copies() {
  while [ $# -ge 4 ]; do
    re_fault patch.rename || return 1
    if [ -n "$2" ]; then
      re_name_copy $# "$3"
      mv -f "$re_copy" "./$3" || return 1
    fi
    shift 4
  done
}

re_remove_copies() {
  while [ $# -ge 4 ]; do
    re_name_copy $# "$3"
    rm -f "$re_copy"
    shift 4
  done
}
