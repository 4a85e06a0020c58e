// Commands are records in one table; help, completions and the manual's option sections are made from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "re/base/strings.hpp"

namespace re::cli {

class Context;

enum class Repeats { no, yes };

struct Option {
  std::string_view names;  ///< "-i,--instance": the long name without dashes is its key
  std::string_view value;  ///< what help shows for its value; empty for a flag
  std::string_view help;
  std::string_view completer = {};  ///< what its value can be: see complete.cpp; nothing: anything
  Repeats repeats = Repeats::no;    ///< whether giving it twice has a sense

  [[nodiscard]] bool takes_value() const { return !value.empty(); }
  [[nodiscard]] std::string_view key() const;
};

enum class Arguments {
  none,
  one_optional,
  many,     ///< any number; options may stand among them
  command,  ///< a command for the remote shell: see split_command_line()
};

/// What stood on the command line, checked against the command's options.
class Parsed {
 public:
  void set(std::string_view key, std::string value) {
    m_values.emplace_back(std::string(key), std::move(value));
  }
  std::vector<std::string> arguments;

  [[nodiscard]] bool has(std::string_view key) const { return text(key).has_value(); }
  /// The option's last value.
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  /// All its values, in order.
  [[nodiscard]] std::vector<std::string> all(std::string_view key) const;
  /// Its value as a whole number within [low, high]. Throws Error (usage).
  [[nodiscard]] std::optional<long> number(std::string_view key, long low, long high) const;

 private:
  std::vector<std::pair<std::string, std::string>> m_values;
};

struct Command {
  std::string_view name;
  std::string_view group;     ///< heading in `re --help`
  std::string_view summary;   ///< one line, no full stop
  std::string_view synopsis;  ///< what stands for the arguments in the usage line
  std::string_view details;   ///< paragraphs for `re COMMAND --help`
  std::span<const Option> options;
  Arguments arguments = Arguments::none;
  std::string_view argument_completer = {};  ///< as Option::completer; "remote" is for the first argument
  int (*run)(Context& context, const Parsed& parsed) = nullptr;
};

/// Every command (but the hidden ones, which begin with "__": run.cpp).
std::span<const Command> commands();
/// Options that every command has.
std::span<const Option> common_options();
const Command* find_command(std::string_view name);

}  // namespace re::cli
