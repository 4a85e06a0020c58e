#include "jobs/manifest_text.hpp"

#include <algorithm>
#include <unordered_set>

#include "re/base/encoding.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

using Mode = SnapshotEntry::Mode;

constexpr std::size_t k_sha256_digits = 64;

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = text[at] == '%' ? from_hex(to_lower(text.substr(at + 1, 2))) : std::nullopt;
    if (byte) at += 2;
    decoded += byte ? *byte : std::string(1, text[at]);
  }
  return decoded;
}

// "f <sha256> <x or -> <path>" and "l <target>\t<path>", without the letter and the blank. Nonsense gives
// nonsense.
SnapshotEntry parse_extra(char kind, std::string_view rest) {
  if (kind == 'l') {
    const auto tab = std::min(rest.find('\t'), rest.size());
    const auto path = rest.substr(std::min(tab + 1, rest.size()));
    return {decode(path), "", Mode::plain, decode(rest.substr(0, tab))};
  }
  constexpr std::size_t k_path_at = k_sha256_digits + 3;
  if (rest.size() < k_path_at) return {};
  const Mode mode = rest[k_sha256_digits + 1] == 'x' ? Mode::executable : Mode::plain;
  return {decode(rest.substr(k_path_at)), std::string(rest.substr(0, k_sha256_digits)), mode, ""};
}

}  // namespace

// sha256sum would escape an odd name.
bool is_listed(const SnapshotEntry& entry) {
  const auto is_odd = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '\\';
  };
  return entry.link_target.empty() && std::none_of(entry.path.begin(), entry.path.end(), is_odd);
}

// What was read must be written as it was: so nothing that is malformed passes.
std::optional<std::vector<SnapshotEntry>> parse_manifest(std::string_view text) {
  constexpr std::size_t k_path_at = k_sha256_digits + 4;
  std::vector<SnapshotEntry> entries;
  std::unordered_set<std::string_view> executables;
  for (const auto line : split(text, '\n')) {
    if (line.starts_with("x ./")) {
      executables.insert(line.substr(4));
    } else if (line.starts_with("l ") || line.starts_with("f ")) {
      entries.push_back(parse_extra(line.front(), line.substr(2)));
    } else if (line.size() > k_path_at && line.substr(k_sha256_digits, 4) == "  ./") {
      const std::string sum(line.substr(0, k_sha256_digits));
      entries.push_back({std::string(line.substr(k_path_at)), sum, Mode::plain, ""});
    }
  }
  for (auto& entry : entries) {
    if (is_listed(entry) && executables.contains(entry.path)) entry.mode = Mode::executable;
  }
  try {
    if (render_manifest(entries) != text) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return entries;
}

}  // namespace re::jobs
