#include "transport/transport_memory.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/lock.hpp"

namespace re::transport {

namespace {

using Seconds = std::chrono::sys_seconds;

struct Entry {
  std::string key;
  Seconds since;
};

// "user@host:port" as the target spells them; a part that the target leaves to ssh's configuration is empty.
std::string key_of(const Target& target) {
  return target.user + "@" + target.host + ":" + (target.port ? std::to_string(*target.port) : "");
}

std::optional<Entry> parse_entry(std::string_view line) {
  const auto words = split_words(line);
  if (words.size() != 3 || words[1] != "openssh") return std::nullopt;
  const auto seconds = parse_number<std::int64_t>(words[2]);
  if (!seconds) return std::nullopt;
  return Entry{std::string(words[0]), Seconds(std::chrono::seconds(*seconds))};
}

// A time in the future is a clock that was set back: it does not count for ever.
bool is_fresh(const Entry& entry, Seconds now) {
  return entry.since <= now && now - entry.since < TransportMemory::k_lifetime;
}

std::vector<Entry> read_fresh(const std::filesystem::path& file, Seconds now) {
  std::vector<Entry> entries;
  const std::string text = sys::read_file_if_exists(file).value_or("");
  for (const auto line : split_lines(text)) {
    auto entry = parse_entry(line);
    if (entry && is_fresh(*entry, now)) entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace

bool TransportMemory::needs_openssh(const Target& target) const noexcept {
  try {
    const auto now = std::chrono::floor<std::chrono::seconds>(m_clock.now());
    const auto entries = read_fresh(m_file, now);
    const std::string key = key_of(target);
    return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  } catch (const std::exception&) {
    return false;
  }
}

void TransportMemory::remember_openssh(const Target& target) const noexcept {
  try {
    const std::string key = key_of(target);
    if (split_words(key).size() != 1) return;  // a blank would make it two words
    sys::ensure_private_directory(m_file.parent_path());
    const auto lock = sys::FileLock::wait(m_file.string() + ".lock");
    const auto now = std::chrono::floor<std::chrono::seconds>(m_clock.now());
    auto entries = read_fresh(m_file, now);
    std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
    entries.push_back({key, now});
    std::string text;
    for (const Entry& entry : entries) {
      text += entry.key + " openssh " + std::to_string(entry.since.time_since_epoch().count()) + "\n";
    }
    sys::write_file_atomic(m_file, text);
  } catch (const std::exception&) {
    // The next connect tries ssh2 once more.
  }
}

}  // namespace re::transport
