#include "cli/help.hpp"

#include "cli/libraries.hpp"
#include "re/ui/table.hpp"

namespace re::cli {

namespace {

constexpr std::size_t k_width = 80;

// "  -i, --instance INSTANCE" and the help beside it, or below where the name is long.
std::string option_lines(const Option& option) {
  constexpr std::size_t k_column = 28;
  const bool only_long = option.names.starts_with("--");
  std::string left = (only_long ? "      " : "  ") + replace_all(option.names, ",", ", ");
  if (option.takes_value()) left += " " + std::string(option.value);
  std::string right = wrap(option.help, k_column);
  if (left.size() + 2 <= k_column) return left + right.substr(left.size());
  return left + "\n" + right;
}

}  // namespace

std::string wrap(std::string_view text, std::size_t indent) {
  std::string wrapped;
  std::size_t column = k_width;
  for (const auto word : split_words(text)) {
    if (column + 1 + word.size() > k_width - 1) {
      if (!wrapped.empty()) wrapped += '\n';
      wrapped.append(indent, ' ');
      column = indent;
    } else {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += word.size();
  }
  return wrapped + "\n";
}

std::string version_text(Detail detail) {
  std::string text = "re " RE_VERSION "\n";
  if (detail == Detail::brief) return text;
  text += std::string(build_description()) + "\nMIT licence\n\n";
  ui::Table table({{"Library"}, {"Version"}, {"Linked"}, {"Licence"}});
  for (const auto& library : libraries()) {
    table.add_row({{std::string(library.name)},
                   {std::string(library.version)},
                   {std::string(library.linkage)},
                   {std::string(library.licence)}});
  }
  return text + table.render({});
}

std::string general_help() {
  std::string text =
      "usage: re COMMAND [options] [arguments]\n\n"
      "Runs your project on any machine you can reach by ssh.\n";
  std::string_view group;
  for (const auto& command : commands()) {
    if (command.group != group) text += "\n" + std::string(group = command.group) + "\n";
    text += "  " + std::string(command.name) + std::string(10 - command.name.size(), ' ') +
            std::string(command.summary) + "\n";
  }
  return text +
         "\nThe whole workflow\n"
         "  re init\n"
         "  re async \"python3 train.py\"\n"
         "  re log --follow\n"
         "  re pull \"bin/ ./bin/\"\n"
         "\nre COMMAND --help and man re tell more; re --version tells the version.\n";
}

std::string command_help(const Command& command) {
  std::string text = "usage: re " + std::string(command.name) + " [options]";
  if (!command.synopsis.empty()) text += " " + std::string(command.synopsis);
  text += "\n\n" + wrap(std::string(command.summary) + ".", 0);
  if (!command.details.empty()) text += "\n" + wrap(command.details, 0);
  text += "\nOptions\n";
  for (const auto& option : command.options) text += option_lines(option);
  for (const auto& option : common_options()) text += option_lines(option);
  return text;
}

}  // namespace re::cli
