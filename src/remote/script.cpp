#include "re/base/shell.hpp"
#include "re/remote/host.hpp"

#include "remote/login.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

std::string render_preamble(std::string_view library, std::string_view preparation) {
  std::string text(scripts::login);
  text += library;
  text += '\n';
  text += preparation;
  return text;
}

// Brace groups: the shell parses all of one before it runs any of it, so that a script cut anywhere is a
// syntax error and nothing else. Before the first, what only looks: where that takes a process, the parser
// takes its time meanwhile.
std::string render_library(std::string_view library) {
  std::string text = "if [ -n \"${re_login-}\" ] && ! re_on_marked_files re_are_marked; then\n";
  text += "[ \"$re_login\" = \"$(re_on_login_files re_list_login_files)\" ] &\nre_check=$!\nfi\n";
  text += "{\nre_trailer=\n";
  text += library;
  text += "\n}\n";
  return text;
}

std::string render_call(const ScriptCall& call, std::string_view nonce) {
  std::string text =
      "{\nif [ -n \"${re_check-}\" ]; then wait \"$re_check\" || exit " + std::to_string(k_stale_login);
  text += "; fi\nre_nonce=";
  text += nonce;
  text += "\n";
  if (call.preparation.empty()) text += "[ -z \"${re_place-}\" ] || { re_place=; exec 5>&- 6>&- 7>&-; }\n";
  text += call.more;
  text += "\nprintf '\\036RE1 %s BEGIN\\n' \"$re_nonce\" >&2\nprintf '\\036RE1 %s BEGIN\\n' \"$re_nonce\"\n";
  text += call.function;
  for (const auto& argument : call.arguments) text += " " + shell_quote(argument);
  text += "\nset -- \"$re_nonce\" \"$?\" \"$re_trailer\"\n";
  text +=
      "printf '\\036RE1 %s END %s %s\\n' \"$@\" >&2\nprintf '\\036RE1 %s END %s %s\\n' \"$@\"\nexit 0\n}\n";
  return text;
}

}  // namespace re::remote
