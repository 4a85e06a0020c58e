#include "cli/command.hpp"

#include "re/base/error.hpp"

namespace re::cli {

std::string_view Option::key() const {
  const auto at = names.find("--");
  return names.substr(at + 2);
}

std::optional<std::string> Parsed::text(std::string_view key) const {
  for (auto entry = m_values.rbegin(); entry != m_values.rend(); ++entry) {
    if (entry->first == key) return entry->second;
  }
  return std::nullopt;
}

std::vector<std::string> Parsed::all(std::string_view key) const {
  std::vector<std::string> values;
  for (const auto& [known, value] : m_values) {
    if (known == key) values.push_back(value);
  }
  return values;
}

std::optional<long> Parsed::number(std::string_view key, long low, long high) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto number = parse_number<long>(*value);
  if (number && *number >= low && *number <= high) return number;
  throw Error(ErrorKind::usage, "--" + std::string(key) + " takes a whole number from " +
                                    std::to_string(low) + " to " + std::to_string(high) + ", not \"" +
                                    *value + "\"");
}

const Command* find_command(std::string_view name) {
  for (const auto& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace re::cli
