// What is linked into this program; written by CMake (cmake/ReSbom.cmake).
#pragma once

#include <span>
#include <string_view>

namespace re::cli {

struct Library {
  std::string_view name;
  std::string_view version;  ///< that we were built with
  std::string_view licence;  ///< an SPDX expression
  std::string_view linkage;  ///< "static", "shared", "headers"
};
std::span<const Library> libraries();
/// "<commit>, Release by GNU 12.2.0 for Linux x86_64"
std::string_view build_description();

}  // namespace re::cli
