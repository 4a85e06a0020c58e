#pragma once

#include <filesystem>
#include <string>

#include "cli/context.hpp"

namespace re::cli {

/// Opens the user's browser ($BROWSER, xdg-open or open) at a URL that holds a secret: by way of a private
/// file in `directory`, so that the secret is in no list of arguments.
class BrowserVisit {
 public:
  /// Says so where there is no browser. Throws Error (io, config).
  BrowserVisit(Context& context, const std::filesystem::path& directory, const std::string& url);
  /// Removes the file.
  ~BrowserVisit();
  BrowserVisit(const BrowserVisit&) = delete;
  BrowserVisit& operator=(const BrowserVisit&) = delete;

 private:
  std::filesystem::path m_file;
};

}  // namespace re::cli
