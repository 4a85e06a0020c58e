#include "re/remote/session.hpp"

#include <algorithm>

#include "re/base/error.hpp"
#include "re/base/shell.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

// libssh2's largest message is 35,000 bytes (RFC 4253 section 6.1).
constexpr std::size_t k_longest_command = 32'000;

// A colon stands for the backslash of printf's %b; no login shell sees a character that means something to
// it. The words in single quotes hold no quote, no '!' (history, in csh) and no "\\" (an escape, in fish).
constexpr std::string_view k_decoder =
    R"sh(exec /bin/sh -c 'eval "$(printf %b "$(printf %s "$0" | tr : "\134")")"' )sh";

bool is_plain(char letter) {
  constexpr std::string_view k_plain = "_./,-";
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || k_plain.find(letter) != std::string_view::npos;
}

// One word without any character that a shell knows.
std::string encode(std::string_view text) {
  std::string word;
  for (const char letter : text) {
    if (is_plain(letter)) {
      word += letter;
      continue;
    }
    const auto byte = static_cast<unsigned char>(letter);
    word += ":0";
    for (const unsigned shift : {6U, 3U, 0U}) word += static_cast<char>('0' + ((byte >> shift) & 7U));
  }
  return word;
}

}  // namespace

std::string terminal_command(const Visit& visit) {
  std::string script(scripts::session);
  script += "re_session " + shell_quote(visit.directory);
  for (const auto& word : visit.words) script += " " + shell_quote(word);
  std::string command = std::string(k_decoder) + encode(script);
  if (command.size() > k_longest_command) {
    throw Error(ErrorKind::usage, "the command is too long for a terminal",
                "put it into a script, or run it with its input from /dev/null");
  }
  return command;
}

ScriptCall visit_call(Visit visit) {
  ScriptCall call{
      scripts::session, "re_session_run", {std::move(visit.directory)}, ScriptCall::Repeat::forbidden};
  call.arguments.insert(call.arguments.end(), visit.words.begin(), visit.words.end());
  return call;
}

}  // namespace re::remote
