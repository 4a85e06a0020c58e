// A configuration file's bytes together with who may read and write it, taken from one open descriptor.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re::config {

/// Text that may hold a password: read straight into one buffer, wiped when it goes.
class WipedText {
 public:
  WipedText() = default;
  explicit WipedText(std::string text) : m_text(std::make_unique<std::string>(std::move(text))) {}
  WipedText(WipedText&&) noexcept = default;
  WipedText& operator=(WipedText&&) = delete;
  ~WipedText();
  [[nodiscard]] std::string_view view() const {
    return m_text ? std::string_view(*m_text) : std::string_view();
  }

 private:
  std::unique_ptr<std::string> m_text;  // a moved string may leave a copy of short text behind
};

struct PrivateFile {
  WipedText text;
  mode_t mode = 0;  ///< permission bits
};

/// The file, or nothing when there is none. Throws Error: config when it is not a regular file, is not ours
/// (or root's) or can be written by others; io.
/// \param shown how messages call it
std::optional<PrivateFile> read_private_file(const std::filesystem::path& path, const std::string& shown);

/// The same for a file that anybody may own and write (a project's): only its being a regular file is
/// checked.
std::optional<PrivateFile> read_project_file(const std::filesystem::path& path, const std::string& shown);

/// "~/.recompute.conf" for a path below the home directory.
std::string shown_path(const std::filesystem::path& path, const std::filesystem::path& home);

}  // namespace re::config
