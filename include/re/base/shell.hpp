// Words for a shell: quoting has its one home here. A command is a list of arguments until the last moment.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace re {

/// One word for a POSIX shell: as it is where that is safe, else in single quotes. Any byte but NUL survives.
/// Not for csh or fish: what those read must be a constant (ARCHITECTURE.md, "One way in").
std::string shell_quote(std::string_view word);
/// A whole argument list, each word quoted.
std::string shell_join(std::span<const std::string> words);

/// "2026-11-21T16:37:49.123456789Z", POSIX touch -d, from nanoseconds since 1970.
std::string touch_time(std::int64_t mtime_ns);
/// "0644", for chmod: the lowest twelve bits.
std::string chmod_mode(unsigned permissions);

}  // namespace re
