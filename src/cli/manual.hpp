// re(1), in mdoc(7): the fixed text of man/re.1.in with the commands of the table.
#pragma once

#include <string>
#include <string_view>

namespace re::cli {

/// What run() takes for a hidden command: `re __manual FILE` prints the page made from the template FILE.
inline constexpr std::string_view k_manual_command = "__manual";

/// `page` with the line "@COMMANDS@" replaced by a subsection for each group of commands: every command's
/// synopsis, text and options. Throws Error (usage) where there is no such line.
std::string manual_page(std::string_view page);

}  // namespace re::cli
