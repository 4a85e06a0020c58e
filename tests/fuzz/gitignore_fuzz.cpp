// Patterns, and a path to match, divided by the first NUL.
#include <cstdint>
#include <string>
#include <string_view>

#include "project/gitignore.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = text.find('\0');
  const re::project::IgnoreRules rules(text.substr(0, end));
  const auto path = end == std::string_view::npos ? std::string_view("a/b.c") : text.substr(end + 1);
  static_cast<void>(rules.match(path, re::project::PathKind::file));
  static_cast<void>(rules.may_match_below(path));
  return 0;
}
