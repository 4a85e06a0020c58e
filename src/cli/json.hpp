// What --json prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace re::cli {

/// Indented, with a newline at its end. Bytes that are not UTF-8 (names and logs may hold any) become U+FFFD.
std::string to_text(const nlohmann::json& json);

}  // namespace re::cli
