// The manual without a manual's program.
#pragma once

#include <string>
#include <string_view>

namespace re::cli {

/// An mdoc(7) page as plain text of less than 80 columns: the macros that our pages use, without fonts and
/// hyphenation. What it does not know it shows as words, so that nothing is lost.
std::string mdoc_to_text(std::string_view page);

}  // namespace re::cli
