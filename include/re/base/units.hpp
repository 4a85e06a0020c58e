// Durations and sizes as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace re {

/// "90", "90s", "10min", "1h30m", "2d", "250ms"; a bare number is seconds. Nothing on a sign, blanks or
/// overflow.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "0:07", "12:34", "3:25:00", "2-03:25:00" ([D-]H:MM:SS as Slurm prints elapsed time).
std::string format_elapsed(std::chrono::seconds elapsed);
/// "512", "10K", "1.5G", "2TiB"; powers of 1024; a bare number is bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// Three significant digits with a binary unit: "512 B", "1.46 KiB", "10.0 GiB".
std::string format_size(std::uint64_t bytes);

}  // namespace re
