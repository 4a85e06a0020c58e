# What a shell that was started ahead is told first (transport::ExecRequest::preamble): it notes the state of the files
# that login shells and sshd read, so that render_script's first line finds out whether a new shell would start otherwise.
# shellcheck disable=SC2034 # render_script reads it
re_login_files() {
  ls -dilLn --full-time / /etc/environment /etc/profile /etc/bash.bashrc /etc/bashrc /etc/zshenv /etc/zsh/zshenv \
    /etc/csh.cshrc /etc/fish/config.fish "$HOME"/.ssh/environment "$HOME"/.ssh/rc "$HOME"/.pam_environment \
    "$HOME"/.profile "$HOME"/.bash_profile "$HOME"/.bashrc "$HOME"/.bash_aliases "$HOME"/.zshenv "$HOME"/.tcshrc \
    "$HOME"/.cshrc "$HOME"/.config/fish/config.fish "$HOME"/.config/fish/conf.d "$HOME"/.config/fish/fish_variables \
    2>/dev/null
}
re_login=$(re_login_files)
[ -n "$re_login" ] || exit 0
