#include "re/cli/run.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/complete.hpp"
#include "cli/context.hpp"
#include "cli/exit_code.hpp"
#include "cli/help.hpp"
#include "cli/json.hpp"
#include "cli/manual.hpp"
#include "cli/parse.hpp"
#include "re/remote/remote_shell.hpp"
#include "re/sys/file.hpp"
#include "re/sys/secret.hpp"
#include "re/sys/terminal.hpp"
#include "re/transport/askpass.hpp"
#include "re/transport/master.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

void put(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

int fail(const Error& error, bool as_json) {
  sys::restore_terminal();
  const auto code = exit_code_for(error.kind());
  if (as_json) {
    const nlohmann::json report = {{"error", {{"kind", to_string(error.kind())}, {"message", error.what()}}}};
    put(stdout, to_text(report));
  }
  put(stderr, "re: " + ui::sanitise_line(error.what()) + "\n");
  return static_cast<int>(code);
}

const Command& require_command(const std::string& word) {
  const auto* command = find_command(word);
  if (command != nullptr) return *command;
  std::vector<std::string> names;
  for (const auto& known : commands()) {
    names.emplace_back(known.name);
  }
  const std::string hint = suggestion(word, names);
  throw Error(ErrorKind::usage, "unknown command " + word, hint.empty() ? "see re --help" : hint);
}

int run_command(const Command& command, const std::vector<std::string>& words) {
  std::vector<std::string> notes;
  const Parsed parsed = parse_arguments(command, words, notes);
  if (parsed.has("help")) {
    put(stdout, command_help(command));
    return 0;
  }
  Context context(parsed);
  for (const auto& note : notes) context.progress().note(note);
  return command.run(context, parsed);
}

int dispatch(std::vector<std::string> words) {
  if (words.empty()) {
    put(stderr, general_help());
    return static_cast<int>(ExitCode::usage);
  }
  if (words[0] == "--version") {
    const bool is_verbose = words.size() > 1 && words[1] == "--verbose";
    put(stdout, version_text(is_verbose ? Detail::verbose : Detail::brief));
    return 0;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    put(stdout, words.size() > 1 ? command_help(require_command(words[1])) : general_help());
    return 0;
  }
  if (words[0] == k_complete_command) return complete_main({words.begin() + 1, words.end()});
  if (words[0] == k_manual_command && words.size() == 2) {
    put(stdout, manual_page(sys::read_file(words[1])));
    return 0;
  }
  const std::size_t at = find_command_word(words);
  if (at == words.size())
    throw Error(ErrorKind::usage, "no command among " + join(words, " "), "see re --help");
  const Command& command = require_command(words[at]);
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
  return run_command(command, words);
}

bool asks_for_json(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    if (word == "--") return false;
    if (word == "--json") return true;
  }
  return false;
}

}  // namespace

int run(std::string_view program, const std::vector<std::string>& words) {
  sys::ignore_broken_pipes();
  sys::forbid_core_files();
  if (transport::is_askpass_call(program))
    return transport::askpass_main(words.empty() ? std::string() : words[0]);
  try {
    if (!words.empty() && words[0] == remote::k_remote_shell_command) {
      const std::vector<std::string> arguments(words.begin() + 1, words.end());
      return remote::remote_shell_main(arguments);
    }
    if (!words.empty() && words[0] == transport::k_master_command)
      return transport::master_main({words.begin() + 1, words.end()});
    return dispatch(words);
  } catch (const Error& error) {
    return fail(error, asks_for_json(words));
  } catch (const std::exception& error) {
    return fail(Error(ErrorKind::io, error.what()), asks_for_json(words));
  }
}

}  // namespace re::cli
