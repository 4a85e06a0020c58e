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
# alone. Where the shell cannot compare nanoseconds, or where a file is a symbolic link, there are no marks.
re_on_marked_files() {
  re_on_login_files "$1" /etc/. /etc/zsh/. /etc/fish/. "$HOME"/. "$HOME"/.ssh/. "$HOME"/.config/fish/.
}

re_has_mark() {
  if [ -e "$1" ]; then
    [ ! -h "$1" ] && [ -e "$2" ] && ! [ "$1" -nt "$2" ] && ! [ "$1" -ot "$2" ]
  else
    [ ! -e "$2" ]
  fi
}

re_are_marked() {
  [ "$re_marks/late" -nt "$re_marks/early" ] && [ "$re_marks/early" -ot "$re_marks/late" ] || return 1
  re_number=0
  for re_file do
    re_number=$((re_number + 1))
    re_has_mark "$re_file" "$re_marks/$re_number" || return 1
  done
} 2>/dev/null

re_make_marks() {
  if [ -d "$re_old" ]; then
    cp -Rp "$re_old" "$re_marks" || return 1
  else
    mkdir "$re_marks" && touch -d '1970-01-02 00:00:00.1' "$re_marks/early" &&
      touch -d '1970-01-02 00:00:00.2' "$re_marks/late" || return 1
  fi
  re_number=0
  for re_file do
    re_number=$((re_number + 1))
    if [ -h "$re_file" ]; then return 1; fi
    re_has_mark "$re_file" "$re_marks/$re_number" && continue
    rm -f "$re_marks/$re_number"
    if [ -e "$re_file" ]; then touch -r "$re_file" "$re_marks/$re_number" || return 1; fi
  done
  re_are_marked "$@"
}

# Marks are made aside, and only while the list stays the same. A shell whose marks go or change lists the files.
re_mark_login_files() {
  [ -d "$HOME/.re" ] && mkdir -p "$HOME/.re/login" || return
  re_old=$re_marks re_marks=$HOME/.re/login/new.$$
  if re_on_marked_files re_make_marks && [ "$re_login" = "$(re_on_login_files re_list_login_files)" ]; then
    for re_file in "$HOME"/.re/login/*; do
      [ "$re_file" = "$re_marks" ] || rm -rf "$re_file"
    done
    mv "$re_marks" "$re_old"
  fi
  rm -rf "$re_marks"
}

re_login=$(re_on_login_files re_list_login_files)
[ -n "$re_login" ] || exit 0
re_marks=$(printf '%s' "$re_login" | cksum 2>/dev/null)
re_marks=$HOME/.re/login/${re_marks%% *}.${re_marks##* }
re_on_marked_files re_are_marked || (umask 077 && re_mark_login_files) 2>/dev/null
re_namespace=$(readlink /proc/self/ns/pid 2>/dev/null)
re_clock=
{ read -r re_uptime re_word </proc/uptime && re_clock="${re_uptime%%.*} $(date +%s)"; } 2>/dev/null
