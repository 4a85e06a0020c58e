# What a shell that was started ahead is told first (transport::ExecRequest::preamble): it notes the state of the files
# that login shells and sshd read, so that render_script's first line finds out whether a new shell would start otherwise.
# What is written between that login and this note, a few milliseconds, is not noticed.
# What else costs a process, and is the same for all that come, is found out here as well (jobs/scripts/launch.sh).
# shellcheck disable=SC2034 # render_script and re_find_facts read it
re_login_files() { # in a subshell
  exec ls -dilLn --full-time / /etc/environment /etc/profile /etc/bash.bashrc /etc/bashrc /etc/zshenv /etc/zsh/zshenv \
    /etc/csh.cshrc /etc/fish/config.fish "$HOME"/.ssh/environment "$HOME"/.ssh/rc "$HOME"/.pam_environment \
    "$HOME"/.profile "$HOME"/.bash_profile "$HOME"/.bashrc "$HOME"/.bash_aliases "$HOME"/.zshenv "$HOME"/.tcshrc \
    "$HOME"/.cshrc "$HOME"/.config/fish/config.fish "$HOME"/.config/fish/conf.d "$HOME"/.config/fish/fish_variables \
    2>/dev/null
}
re_login=$(re_login_files)
[ -n "$re_login" ] || exit 0
re_namespace=$(readlink /proc/self/ns/pid 2>/dev/null)
re_clock=
{ read -r re_uptime re_word </proc/uptime && re_clock="${re_uptime%%.*} $(date +%s)"; } 2>/dev/null
