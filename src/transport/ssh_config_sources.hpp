// The files that `ssh -G` reads, and which of its answers they let us use again. They are read for that
// only: what a setting comes to is ssh's own word.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re::transport {

/// For which names one answer of ssh holds. The greater value is the weaker claim.
enum class Recall : unsigned char {
  by_patterns,  ///< all names that match the same Host patterns get the same answer, but for the name in it
  by_name,      ///< the same name gets the same answer
  never,        ///< the answer may depend on what no file says: `Match exec`, the network, an unknown syntax
};

struct SshConfigSources {
  Recall recall = Recall::by_patterns;
  /// SHA-256 over the files as they are, the ssh program, the user and the environment; empty with
  /// Recall::never.
  std::string digest;
  std::vector<std::string> patterns;   ///< of all Host lines, without their '!', in order
  std::vector<std::string> hostnames;  ///< all HostName values, in lower case
};

/// ssh_config(5): the user's file and the system's, or only `file`, and what they include. Blocking, short.
/// Never throws for what is in a file.
/// \param ssh the program: only Debian's own places are known to read the system's file in /etc/ssh
SshConfigSources read_ssh_config_sources(const std::filesystem::path& ssh,
                                         const std::optional<std::filesystem::path>& file);

/// "1" or "0" for each pattern: whether ssh's match_pattern() finds that the name matches.
std::string match_patterns(const SshConfigSources& sources, std::string_view name);

}  // namespace re::transport
