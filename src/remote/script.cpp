#include "re/base/shell.hpp"
#include "re/remote/host.hpp"

#include "remote/login.hpp"

namespace re::remote {

// One brace group: the shell parses all of it before it runs any of it, so that a script cut anywhere is a
// syntax error and nothing else. Before it, what only looks: it takes a process, and the parser its time.
// Both streams are marked, because login scripts write to both.
std::string render_script(const ScriptCall& call, std::string_view nonce) {
  std::string text = "if [ -n \"${re_login-}\" ]; then [ \"$re_login\" = \"$(re_login_files)\" ] & fi\n";
  text += "{\nif [ -n \"${re_login-}\" ]; then wait \"$!\" || exit " + std::to_string(k_stale_login);
  text += "; fi\nre_nonce=";
  text += nonce;
  text += "\nre_trailer=\n";
  if (call.preparation.empty()) text += "[ -z \"${re_place-}\" ] || { re_place=; exec 5>&- 6>&- 7>&-; }\n";
  text += call.library;
  text += "\nprintf '\\036RE1 %s BEGIN\\n' \"$re_nonce\" >&2\nprintf '\\036RE1 %s BEGIN\\n' \"$re_nonce\"\n";
  text += call.function;
  for (const auto& argument : call.arguments) text += " " + shell_quote(argument);
  text += "\nset -- \"$re_nonce\" \"$?\" \"$re_trailer\"\n";
  text +=
      "printf '\\036RE1 %s END %s %s\\n' \"$@\" >&2\nprintf '\\036RE1 %s END %s %s\\n' \"$@\"\nexit 0\n}\n";
  return text;
}

}  // namespace re::remote
