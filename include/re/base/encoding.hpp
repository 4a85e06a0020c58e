// Hexadecimal and base64 (RFC 4648, with padding).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace re {

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);
std::string to_base64(std::string_view bytes);
/// Strict: the alphabet, padding and length must be right, else nothing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace re
