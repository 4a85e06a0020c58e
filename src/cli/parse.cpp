#include "cli/parse.hpp"

#include <algorithm>
#include <CLI/CLI.hpp>

#include "re/base/error.hpp"

namespace re::cli {

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> options(command.options.begin(), command.options.end());
  options.insert(options.end(), common_options().begin(), common_options().end());
  return options;
}

const Option* find_option(const std::vector<Option>& options, std::string_view word) {
  const auto name = word.substr(0, word.find('='));
  for (const auto& option : options) {
    for (const auto known : split(option.names, ',')) {
      if (name == known) return &option;
      const bool is_short = known.size() == 2;
      if (is_short && option.takes_value() && word.size() > 2 && word.substr(0, 2) == known) return &option;
    }
  }
  return nullptr;
}

bool has_attached_value(std::string_view word) {
  return word.find('=') != std::string_view::npos || (word.size() > 2 && word[1] != '-');
}

std::size_t find_command_word(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with('-')) return i;
    if (words[i] == "-i" || words[i] == "--instance" || words[i] == "--config" || words[i] == "--color") ++i;
  }
  return words.size();
}

namespace {

[[noreturn]] void refuse_unknown(const Command& command, std::string_view word) {
  const std::string name(word.substr(0, word.find('=')));
  std::vector<std::string> known;
  for (const auto& option : all_options(command)) {
    for (const auto spelling : split(option.names, ',')) known.emplace_back(spelling);
  }
  const bool is_option = word.starts_with('-');
  std::string hint = is_option ? suggestion(name, known) : std::string();
  if (hint.empty()) hint = "see re " + std::string(command.name) + " --help";
  throw Error(ErrorKind::usage,
              std::string("unknown ") + (is_option ? "option " : "argument ") + name + " for re " +
                  std::string(command.name),
              hint);
}

[[noreturn]] void refuse_value(const Command& command, const std::string& option, const std::string& what) {
  const std::string name = "re " + std::string(command.name);
  throw Error(ErrorKind::usage, option + " of " + name + what, "see " + name + " --help");
}

// CLI11 reads the options; what it leaves over is ours to name.
void read_options(const Command& command, std::vector<std::string> words, Parsed& parsed) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras(true);
  const auto options = all_options(command);
  for (const auto& option : options) {
    const std::string key(option.key());
    const std::string names(option.names);
    if (option.takes_value()) {
      const auto take = [&parsed, key](const std::vector<std::string>& values) {
        for (const auto& value : values) parsed.set(key, value);
      };
      app.add_option_function<std::vector<std::string>>(names, take)->allow_extra_args(false);
    } else {
      app.add_flag_callback(names, [&parsed, key] { parsed.set(key, "true"); });
    }
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::ArgumentMismatch& error) {  // "--tail: 1 required TEXT missing"
    const std::string text = error.what();
    refuse_value(command, text.substr(0, text.find(':')), " needs a value");
  } catch (const CLI::ConversionError& error) {  // "Could not convert: --follow = x"
    const std::string text = error.what();
    const auto begin = text.find(": ") + 2;
    refuse_value(command, text.substr(begin, text.find(" =") - begin), " takes no value");
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::usage, "re " + std::string(command.name) + ": " + error.what(),
                "see re " + std::string(command.name) + " --help");
  }
  bool only_arguments = false;
  for (const auto& word : app.remaining()) {
    if (word == "--" && !only_arguments) {
      only_arguments = true;
    } else if (word.size() > 1 && word.starts_with('-') && !only_arguments) {
      refuse_unknown(command, word);
    } else {
      parsed.arguments.push_back(word);
    }
  }
}

void check_count(const Command& command, const Parsed& parsed) {
  const std::size_t limit = command.arguments == Arguments::none           ? 0
                            : command.arguments == Arguments::one_optional ? 1
                                                                           : parsed.arguments.size();
  if (parsed.arguments.size() > limit) refuse_unknown(command, parsed.arguments[limit]);
}

void note_stray_options(const Command& command, const CommandLine& line, std::vector<std::string>& notes) {
  const auto options = all_options(command);
  for (std::size_t i = 1; i < line.command.size(); ++i) {
    const auto& word = line.command[i];
    if (!word.starts_with("--") || find_option(options, word) == nullptr) continue;
    notes.push_back(word + " goes to the remote command; options of re stand before it");
  }
}

}  // namespace

CommandLine split_command_line(const Command& command, const std::vector<std::string>& words) {
  const auto options = all_options(command);
  CommandLine line;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word == "--") {
      line.command.insert(line.command.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                          words.end());
      return line;
    }
    if (word.size() > 1 && word.starts_with('-')) {
      line.ours.push_back(word);
      const auto* option = find_option(options, word);
      const bool takes_next = option != nullptr && option->takes_value() && !has_attached_value(word);
      if (takes_next && i + 1 < words.size()) line.ours.push_back(words[++i]);
      continue;
    }
    const bool is_quoted = word.find_first_of(" \t\n") != std::string::npos;
    if (!is_quoted && line.command.empty()) {
      line.command.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      return line;
    }
    line.command.push_back(word);
  }
  return line;
}

Parsed parse_arguments(const Command& command, const std::vector<std::string>& words,
                       std::vector<std::string>& notes) {
  Parsed parsed;
  if (command.arguments != Arguments::command) {
    read_options(command, words, parsed);
    check_count(command, parsed);
    return parsed;
  }
  CommandLine line = split_command_line(command, words);
  read_options(command, line.ours, parsed);
  note_stray_options(command, line, notes);
  parsed.arguments = std::move(line.command);
  return parsed;
}

}  // namespace re::cli
