#include "transport/known_hosts_files.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace re::transport {

namespace {

// So that a line of plain names needs no look: anything else may match a name that it does not spell.
bool is_list_of_names(std::string_view hosts) {
  constexpr std::size_t k_longest = 1000;  // below the length at which OpenSSH gives a pattern up
  return hosts.size() < k_longest && hosts.find_first_of("*?!|") == std::string_view::npos;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

KnownHostsIndex::KnownHostsIndex(std::vector<KnownHostsLine> lines) : m_lines(std::move(lines)) {
  for (std::size_t at = 0; at < m_lines.size(); ++at) {
    const std::string& hosts = m_lines[at].hosts;
    if (!is_list_of_names(hosts)) {
      m_others.push_back(at);
      continue;
    }
    for (const auto name : split(hosts, ',')) m_by_name.emplace(to_lower(name), at);
  }
}

std::vector<const KnownHostsLine*> KnownHostsIndex::find(std::string_view name) const {
  std::vector<std::size_t> places;
  const auto [first, last] = m_by_name.equal_range(std::string(name));
  for (auto entry = first; entry != last; ++entry) places.push_back(entry->second);
  for (const auto at : m_others) {
    if (names_host(m_lines[at].hosts, name)) places.push_back(at);
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::vector<const KnownHostsLine*> found;
  found.reserve(places.size());
  for (const auto at : places) found.push_back(&m_lines[at]);
  return found;
}

const KnownHostsIndex& KnownHostsFiles::read(const std::filesystem::path& path) {
  File& file = m_files[path];
  struct stat now{};
  const bool is_there = ::stat(path.c_str(), &now) == 0;
  if (is_there && is_same(now, file.facts)) return file.index;
  const bool is_missing = !is_there && errno == ENOENT;
  file = {};
  const auto text = is_missing ? std::nullopt : sys::read_file_if_exists(path);
  if (!text) return file.index;
  file.index = KnownHostsIndex(parse_known_hosts(*text));
  // The facts of before the reading: what is written meanwhile is read the next time.
  file.facts = now;
  return file.index;
}

}  // namespace re::transport
