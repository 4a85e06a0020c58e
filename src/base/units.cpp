#include "re/base/units.hpp"

#include <array>
#include <cstdio>
#include <limits>

#include "re/base/strings.hpp"

namespace re {

namespace {

struct DurationUnit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<DurationUnit, 9> k_duration_units = {{{"ms", 1},
                                                           {"s", 1'000},
                                                           {"sec", 1'000},
                                                           {"m", 60'000},
                                                           {"min", 60'000},
                                                           {"h", 3'600'000},
                                                           {"d", 86'400'000},
                                                           {"w", 604'800'000},
                                                           {"", 1'000}}};
constexpr std::string_view k_size_units = "KMGTP";

std::optional<std::int64_t> unit_of(std::string_view name) {
  for (const auto& unit : k_duration_units) {
    if (unit.name == name) return unit.milliseconds;
  }
  return std::nullopt;
}

std::size_t digits_at_front(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    const auto number = parse_number<std::int64_t>(text.substr(0, digits_at_front(text)));
    if (!number) return std::nullopt;
    text.remove_prefix(digits_at_front(text));
    const auto unit_end = text.find_first_of("0123456789");
    const auto unit = unit_of(text.substr(0, unit_end));
    std::int64_t part = 0;
    if (!unit || __builtin_mul_overflow(*number, *unit, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
    text = unit_end == std::string_view::npos ? std::string_view() : text.substr(unit_end);
  }
  return std::chrono::milliseconds(total);
}

std::string format_elapsed(std::chrono::seconds elapsed) {
  const long long total = elapsed.count() < 0 ? 0 : elapsed.count();
  const long long days = total / 86'400;
  const long long hours = total / 3'600 % 24;
  std::array<char, 48> text{};
  if (days > 0) {
    std::snprintf(text.data(), text.size(), "%lld-%02lld:%02lld:%02lld", days, hours, total / 60 % 60,
                  total % 60);
  } else if (hours > 0) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", hours, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", total / 60, total % 60);
  }
  return text.data();
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::string_view number = text.substr(0, text.find_first_not_of("0123456789."));
  std::string_view unit = text.substr(number.size());
  std::uint64_t factor = 1;
  if (!unit.empty() && unit != "B") {
    const auto power =
        k_size_units.find(unit.front() >= 'a' ? static_cast<char>(unit.front() - 'a' + 'A') : unit.front());
    const auto rest = unit.substr(1);
    if (power == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "iB"))
      return std::nullopt;
    factor = std::uint64_t{1} << (10 * (power + 1));
  }
  const auto value = parse_number<double>(number);
  if (!value || number.front() == '.' || number.back() == '.') return std::nullopt;
  const double bytes = *value * static_cast<double>(factor);
  if (bytes >= static_cast<double>(std::numeric_limits<std::uint64_t>::max())) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::string format_size(std::uint64_t bytes) {
  std::array<char, 32> text{};
  if (bytes < 1024) {
    std::snprintf(text.data(), text.size(), "%llu B", static_cast<unsigned long long>(bytes));
    return text.data();
  }
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (value /= 1024; value >= 999.5 && unit + 1 < k_size_units.size(); value /= 1024) ++unit;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f %ciB", decimals, value, k_size_units[unit]);
  return text.data();
}

}  // namespace re
