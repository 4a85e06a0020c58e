// Additions to the user's configuration file. What stands in it already is never rewritten: every byte is
// kept.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "re/config/settings.hpp"

namespace re::config {

struct NewInstance {
  std::string name;  ///< may be empty
  Destination destination;
  std::vector<std::filesystem::path> identity_files;
  std::shared_ptr<const sys::Secret> password;  ///< may be null
};

/// Adds an [instance N] with N = highest index + 1 at the end of the file, in the file's own style
/// (separator, line ends), and returns N. A missing file is made with mode 0600 and its directory with 0700;
/// a file that gets a password becomes 0600, else its mode stays. Atomic, and two writers wait for each other
/// (a lock on the directory). Throws Error: config (the file as it is has a mistake; the password cannot be
/// written in an INI file), conflict (the name or the destination is there already; the message says where),
/// io.
std::size_t append_instance(const std::filesystem::path& path, const sys::UserPaths& paths,
                            const NewInstance& instance);

enum class Overwrite { no, yes };

/// Writes a commented sample with every key, mode 0600. Throws Error: conflict when the file exists and must
/// not be overwritten, io.
void write_sample(const std::filesystem::path& path, Overwrite overwrite);
/// The sample's text: a valid configuration without any instance.
std::string_view sample_text();

}  // namespace re::config
