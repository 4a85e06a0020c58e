#include "cli/manual.hpp"

#include "cli/command.hpp"
#include "re/base/error.hpp"

namespace re::cli {

namespace {

constexpr std::string_view k_place = "@COMMANDS@\n";

// A dash or a tilde that a reader types is no hyphen and no accent (mandoc_char(7)).
std::string escape(std::string_view word) {
  std::string escaped;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool begins_option = word[i] == '-' && (i == 0 || word[i - 1] == '-' || word[i - 1] == '"');
    if (word[i] == '\\') {
      escaped += "\\e";
    } else if (word[i] == '~') {
      escaped += "\\(ti";
    } else if (begins_option) {
      escaped += "\\-";
    } else {
      escaped += word[i];
    }
  }
  return escaped;
}

// Text lines of at most 80 bytes; mdoc(7) wants one of its own for the begin of every sentence.
std::string paragraph(std::string_view text) {
  constexpr std::size_t k_longest = 80;
  std::string lines;
  std::size_t column = 0;
  for (const auto word : split_words(text)) {
    const std::string escaped = escape(word);
    if (column > 0 && column + 1 + escaped.size() > k_longest) {
      lines += '\n';
      column = 0;
    }
    if (column > 0) lines += ' ';
    if (column == 0 && (word.front() == '.' || word.front() == '\'')) lines += "\\&";
    lines += escaped;
    column += 1 + escaped.size();
    if (word.ends_with('.')) {
      lines += '\n';
      column = 0;
    }
  }
  return column == 0 ? lines : lines + "\n";
}

// "[JOB...]" as ".Op Ar JOB ...", "[status | stop]" as one, too, and "COMMAND..." as ".Ar COMMAND ...", one
// line each.
std::string synopsis_lines(std::string_view synopsis) {
  std::string lines;
  while (!(synopsis = trim(synopsis)).empty()) {
    const auto end = synopsis.find(']') + 1;  // 0: there is none
    const bool is_optional =
        synopsis.front() == '[' && end > 0 && (end == synopsis.size() || synopsis[end] == ' ');
    auto word = synopsis.substr(0, is_optional ? end : synopsis.find(' '));
    synopsis.remove_prefix(word.size());
    if (is_optional) word = word.substr(1, word.size() - 2);
    const bool repeats = word.ends_with("...");
    if (repeats) word.remove_suffix(3);
    lines += (is_optional ? ".Op Ar " : ".Ar ") + escape(word) + (repeats ? " ...\n" : "\n");
  }
  return lines;
}

std::string option_item(const Option& option) {
  std::string item;
  for (const auto name : split(option.names, ',')) {
    item += item.empty() ? ".It Fl " : " , Fl ";
    const bool is_long = name.starts_with("--");
    item += is_long ? "\\-" + std::string(name.substr(2)) : std::string(name.substr(1));
  }
  if (option.takes_value()) item += " Ar " + escape(option.value);
  return item + "\n" + paragraph(option.help);
}

std::string option_list(std::span<const Option> options) {
  if (options.empty()) return {};
  std::string list = ".Bl -tag -width Ds\n";
  for (const auto& option : options) list += option_item(option);
  return list + ".El\n";
}

std::string command_item(const Command& command) {
  std::string item = ".It Xo\n.Nm Cm " + std::string(command.name) + "\n.Op Ar options\n";
  item += synopsis_lines(command.synopsis) + ".Xc\n" + paragraph(std::string(command.summary) + ".");
  if (!command.details.empty()) item += paragraph(command.details);
  return item + option_list(command.options);
}

std::string command_sections() {
  std::string sections;
  std::string_view group;
  for (const auto& command : commands()) {
    if (command.group != group) {
      if (!group.empty()) sections += ".El\n";
      group = command.group;
      sections += ".Ss " + std::string(group) + "\n.Bl -tag -width Ds\n";
    }
    sections += command_item(command);
  }
  return sections + ".El\n.Ss Options of every command\n" + option_list(common_options());
}

}  // namespace

std::string manual_page(std::string_view page) {
  const auto at = page.find(k_place);
  if (at == std::string_view::npos)
    throw Error(ErrorKind::usage, "the template of the manual has no line @COMMANDS@");
  return std::string(page.substr(0, at)) + command_sections() + std::string(page.substr(at + k_place.size()));
}

}  // namespace re::cli
