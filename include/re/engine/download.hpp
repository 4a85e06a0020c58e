// Downloads by the host itself, into the project's data/: what `re data` submits as a job.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "re/model/job.hpp"

namespace re::engine {

struct Download {
  std::string url;     ///< without a fragment
  std::string name;    ///< of the file in data/
  std::string sha256;  ///< 64 lower-case hex digits; empty: whatever comes is right
};

/// \param text an http, https, ftp or ftps URL; "#sha256=<64 hex digits>" behind it says what is expected, as
/// in
///   pip's requirements
/// The file's name is the last component of the URL's path, with %XX decoded. Throws Error (usage) for
/// anything else, and where that gives no name.
Download parse_download(std::string_view text);

enum class Existing { keep, replace };

/// Makes `spec` the job that downloads them, in the project's own directory. Throws Error (usage) when two
/// have one name.
void set_download(model::JobSpec& spec, std::span<const Download> downloads, Existing existing);

}  // namespace re::engine
