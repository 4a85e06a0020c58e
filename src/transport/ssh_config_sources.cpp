#include "transport/ssh_config_sources.hpp"

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "transport/pattern.hpp"

namespace re::transport {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_blanks = " \t\r";
constexpr std::size_t k_largest_file = std::size_t{1} << 20U;
constexpr int k_deepest_include = 16;  // READCONF_MAX_DEPTH, readconf.c
constexpr std::string_view k_system_directory = "/etc/ssh";

struct Setting {
  std::string keyword;  // in lower case
  std::string_view rest;
};

bool holds_any(std::string_view text, std::string_view characters) {
  return text.find_first_of(characters) != std::string_view::npos;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view without_front(std::string_view text, std::string_view characters) {
  return text.substr(std::min(text.find_first_not_of(characters), text.size()));
}

class Reader {
 public:
  Reader(const fs::path& ssh, const std::optional<fs::path>& file) {
    note_program(ssh);
    note_user();
    if (file) {
      read_file(*file, "~/.ssh", 0);
      return;
    }
    // Another build of ssh has its system-wide file elsewhere.
    if (!is_one_of(ssh.native(), {"/usr/bin/ssh", "/bin/ssh"})) limit(Recall::never);
    read_file(fs::path(m_home) / ".ssh/config", "~/.ssh", 0);
    read_file(fs::path(k_system_directory) / "ssh_config", k_system_directory, 0);
  }

  SshConfigSources result() && {
    if (m_sources.recall != Recall::never) m_sources.digest = sha256_hex(m_material);
    return std::move(m_sources);
  }

 private:
  void limit(Recall recall) { m_sources.recall = std::max(m_sources.recall, recall); }

  void note(std::string_view text) {
    m_material += std::to_string(text.size()) + ":";
    m_material += text;
  }

  void note_number(std::int64_t number) { note(std::to_string(number)); }

  void note_program(const fs::path& ssh) {
    struct stat facts{};
    if (::stat(ssh.c_str(), &facts) != 0) limit(Recall::never);
    note(ssh.native());
    for (const auto number :
         {static_cast<std::int64_t>(facts.st_dev), static_cast<std::int64_t>(facts.st_ino),
          static_cast<std::int64_t>(facts.st_size), static_cast<std::int64_t>(facts.st_mtim.tv_sec),
          static_cast<std::int64_t>(facts.st_mtim.tv_nsec)})
      note_number(number);
  }

  // ssh goes by the password file where it looks for its own files, and by $HOME where glob(3) does.
  void note_user() {
    const auto uid = ::getuid();
    const passwd* account = ::getpwuid(uid);
    if (account == nullptr) return limit(Recall::never);
    m_home = account->pw_dir;
    note_number(uid);
    note(account->pw_name);
    note(m_home);
    note(sys::host_name());
    note_variable("HOME");
  }

  void note_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    note(name);
    note(value != nullptr ? std::string("=") + value : "");
  }

  void read_file(const fs::path& path, std::string_view relative_to, int depth) {
    if (depth > k_deepest_include) return limit(Recall::never);
    note(path.native());
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) {
      if (errno != ENOENT) limit(Recall::never);
      return note("missing");
    }
    note_number(facts.st_uid);  // ssh refuses files that others may write
    note_number(facts.st_mode);
    std::string text;
    try {
      text = sys::read_file(path, k_largest_file);
    } catch (const Error&) {
      return limit(Recall::never);
    }
    note(text);
    if (!S_ISREG(facts.st_mode) || text.find('\0') != std::string::npos) limit(Recall::never);
    note_references(text);
    for (const auto line : split(text, '\n')) read_line(line, relative_to, depth);
  }

  // "${NAME}" is expanded in many values, "$NAME" in IdentityAgent.
  void note_references(std::string_view text) {
    for (auto at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
      std::size_t begin = at + 1;
      if (begin < text.size() && text[begin] == '{') ++begin;
      std::size_t end = begin;
      while (end < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
        ++end;
      if (end > begin) note_variable(std::string(text.substr(begin, end - begin)));
    }
  }

  void read_line(std::string_view line, std::string_view relative_to, int depth) {
    line = line.substr(0, line.find_last_not_of(" \t\r\n\f") + 1);
    line = without_front(line, k_blanks);
    if (line.empty() || line.front() == '#') return;
    const auto keyword_end = std::find_if(
        line.begin(), line.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    const auto size = static_cast<std::size_t>(keyword_end - line.begin());
    auto rest = line.substr(size);
    if (size == 0 || (!rest.empty() && !holds_any(rest.substr(0, 1), " \t\r="))) return limit(Recall::never);
    rest = without_front(rest, k_blanks);
    if (rest.starts_with('=')) rest = without_front(rest.substr(1), k_blanks);
    take({to_lower(line.substr(0, size)), rest}, relative_to, depth);
  }

  void take(const Setting& setting, std::string_view relative_to, int depth) {
    if (setting.keyword == "host") return take_host(setting.rest);
    if (setting.keyword == "match") return take_match(setting.rest);
    if (setting.keyword == "include") return take_include(setting.rest, relative_to, depth);
    if (setting.keyword == "hostname") take_hostname(setting.rest);
    const std::string value = to_lower(setting.rest);
    // What these come to is asked of the network.
    if (setting.keyword == "canonicalizehostname" && !is_one_of(value, {"no", "false"})) limit(Recall::never);
    if (setting.keyword == "canonicalizepermittedcnames" && value != "none") limit(Recall::never);
    // These values are nothing to us; a '%' in any other may stand for the name.
    const bool is_unused =
        is_one_of(setting.keyword, {"controlpath", "localcommand", "proxycommand", "remotecommand"});
    if (!is_unused && holds_any(setting.rest, "%")) limit(Recall::by_name);
  }

  void take_host(std::string_view rest) {
    if (holds_any(rest, "\"'\\#")) return limit(Recall::by_name);
    for (auto word : words_of(rest)) {
      if (word.starts_with('!')) word.remove_prefix(1);
      m_sources.patterns.emplace_back(word);
    }
  }

  void take_match(std::string_view rest) {
    const auto words = words_of(rest);
    if (words.size() == 1 && to_lower(words.front()) == "all") return;
    limit(Recall::by_name);
    bool is_known = words.size() % 2 == 0 && !words.empty() && !holds_any(rest, "\"'\\#=");
    for (std::size_t at = 0; at < words.size(); at += 2) {
      std::string criterion = to_lower(words[at]);
      if (criterion.starts_with('!')) criterion.erase(0, 1);
      is_known = is_known && is_one_of(criterion, {"host", "originalhost", "user", "localuser"});
    }
    if (!is_known) limit(Recall::never);
  }

  void take_hostname(std::string_view rest) {
    if (holds_any(rest, "\"'\\#")) return limit(Recall::by_name);
    for (const auto word : words_of(rest)) m_sources.hostnames.push_back(to_lower(word));
  }

  void take_include(std::string_view rest, std::string_view relative_to, int depth) {
    if (holds_any(rest, "\"'\\#%$")) return limit(Recall::never);
    for (const auto word : words_of(rest)) {
      const bool is_whole = word.starts_with('/') || word.starts_with('~');
      const std::string pattern =
          is_whole ? std::string(word) : std::string(relative_to) + "/" + std::string(word);
      note(pattern);
      for (const auto& path : expand(pattern)) read_file(path, relative_to, depth + 1);
    }
  }

  std::vector<std::string> expand(const std::string& pattern) {
    glob_t found{};
    const int code = ::glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
    const std::unique_ptr<glob_t, decltype(&::globfree)> guard(&found, &::globfree);
    if (code != 0 && code != GLOB_NOMATCH) limit(Recall::never);
    std::vector<std::string> paths;
    for (std::size_t at = 0; code == 0 && at < found.gl_pathc; ++at) paths.emplace_back(found.gl_pathv[at]);
    return paths;
  }

  static std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!(text = without_front(text, k_blanks)).empty()) {
      const auto word = text.substr(0, text.find_first_of(k_blanks));
      words.push_back(word);
      text.remove_prefix(word.size());
    }
    return words;
  }

  SshConfigSources m_sources;
  std::string m_material;
  std::string m_home;
};

}  // namespace

SshConfigSources read_ssh_config_sources(const fs::path& ssh, const std::optional<fs::path>& file) {
  return Reader(ssh, file).result();
}

std::string match_patterns(const SshConfigSources& sources, std::string_view name) {
  std::string matches;
  matches.reserve(sources.patterns.size());
  for (const auto& pattern : sources.patterns) matches += matches_pattern(pattern, name) ? '1' : '0';
  return matches;
}

}  // namespace re::transport
