# What a shell that was started ahead is told first (transport::ExecRequest::preamble): it notes the state of the files
# that login shells and sshd read, so that render_library's first line finds out whether a new shell would start otherwise.
# What is written between that login and this note, a few milliseconds, is not noticed.
# What else costs a process, and is the same for all that come, is found out here as well (jobs/scripts/launch.sh).
# shellcheck disable=SC2034,SC3013 # render_library and re_find_facts read it; -nt and -ot came with POSIX.1-2024

# re_on_login_files COMMAND [FILE...]: runs it with these and the files.
re_on_login_files() {
  "$@" /etc/environment /etc/profile /etc/bash.bashrc /etc/bashrc /etc/zshenv /etc/zsh/zshenv /etc/csh.cshrc \
    /etc/fish/config.fish "$HOME"/.ssh/environment "$HOME"/.ssh/rc "$HOME"/.pam_environment "$HOME"/.profile \
    "$HOME"/.bash_profile "$HOME"/.bashrc "$HOME"/.bash_aliases "$HOME"/.zshenv "$HOME"/.tcshrc "$HOME"/.cshrc \
    "$HOME"/.config/fish/config.fish "$HOME"/.config/fish/conf.d "$HOME"/.config/fish/fish_variables
}

re_list_login_files() { # in a subshell
  exec ls -dilLn --full-time / "$@" 2>/dev/null
}

# The list takes a process each time. So each file has a mark, an empty file of the same time, in a directory named by the
# list, and so has each directory in which one could be replaced by another of the same time. That is asked by builtins
# alone. There are no marks where the shell cannot compare nanoseconds, and where a file is a symbolic link or cannot be
# read. A file that keeps its time while it is written to is taken for unchanged.
re_on_marked_files() {
  re_on_login_files "$1" /etc/. /etc/zsh/. /etc/fish/. "$HOME"/. "$HOME"/.ssh/. "$HOME"/.config/. "$HOME"/.config/fish/.
}

re_tells_times() {
  [ "$HOME/.re/login/late" -nt "$HOME/.re/login/early" ] && [ "$HOME/.re/login/early" -ot "$HOME/.re/login/late" ]
} 2>/dev/null

re_may_have_marks() {
  for re_file do
    if [ -h "$re_file" ] || { [ -e "$re_file" ] && [ ! -r "$re_file" ]; }; then return 1; fi
  done
}

re_has_mark() {
  if [ -e "$1" ]; then
    [ ! -h "$1" ] && [ -r "$1" ] && [ -e "$2" ] && ! [ "$1" -nt "$2" ] && ! [ "$1" -ot "$2" ]
  else
    [ ! -e "$2" ]
  fi
}

re_are_marked() {
  [ -n "$re_marks" ] && re_tells_times || return 1
  re_number=0
  for re_file do
    re_number=$((re_number + 1))
    re_has_mark "$re_file" "$re_marks/$re_number" || return 1
  done
}

re_make_marks() {
  if [ -d "$re_old" ]; then cp -Rp "$re_old" "$re_marks"; else mkdir "$re_marks"; fi || return 1
  re_number=0
  for re_file do
    re_number=$((re_number + 1))
    re_has_mark "$re_file" "$re_marks/$re_number" && continue
    rm -f "$re_marks/$re_number"
    if [ -e "$re_file" ]; then touch -r "$re_file" "$re_marks/$re_number" || return 1; fi
  done
  re_are_marked "$@"
}

# re_mark_login_files HOST: marks are made aside, and only while the list stays the same. A shell whose marks go or change
# lists the files. Other hosts may have the same home.
re_mark_login_files() {
  [ -n "$re_marks" ] && [ -d "$HOME/.re" ] && [ ! -h "$HOME/.re/login" ] || return
  if ! { [ -e "$HOME/.re/login/early" ] && [ -e "$HOME/.re/login/late" ]; }; then
    mkdir -p "$HOME/.re/login" && touch -d '1970-01-02 00:00:00.1' "$HOME/.re/login/early" &&
      touch -d '1970-01-02 00:00:00.100000001' "$HOME/.re/login/late" || return
  fi
  re_tells_times && re_on_marked_files re_may_have_marks || return
  re_old=$re_marks re_marks=$HOME/.re/login/$1@new.$$
  if re_on_marked_files re_make_marks && [ "$re_login" = "$(re_on_login_files re_list_login_files)" ]; then
    for re_file in "$HOME/.re/login/$1"@*; do
      case $re_file in *@new.*) kill -0 "${re_file##*.}" && continue ;; esac
      rm -rf "$re_file"
    done
    [ -d "$re_old" ] || mv "$re_marks" "$re_old"
    find "$HOME/.re/login" -type d -name '*@*' -mtime +30 -prune -exec rm -rf {} + # of hosts that had another name
  fi
  rm -rf "$re_marks"
}

re_login=$(re_on_login_files re_list_login_files)
[ -n "$re_login" ] || exit 0
re_word=
{ read -r re_word </proc/sys/kernel/hostname; } 2>/dev/null
case $re_word in '' | .* | -* | *[!A-Za-z0-9._-]*) re_word=host ;; esac
re_marks=$(printf '%s' "$re_login" | cksum 2>/dev/null)
if [ -n "$re_marks" ]; then re_marks=$HOME/.re/login/$re_word@${re_marks%% *}.${re_marks##* }; fi
re_on_marked_files re_are_marked || (umask 077 && re_mark_login_files "$re_word") 2>/dev/null
re_namespace=$(readlink /proc/self/ns/pid 2>/dev/null)
re_clock=
{ read -r re_uptime re_word </proc/uptime && re_clock="${re_uptime%%.*} $(date +%s)"; } 2>/dev/null
