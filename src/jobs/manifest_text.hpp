// The text of a snapshot's manifest, read. Its format is specified in snapshot.cpp.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "re/jobs/snapshot.hpp"

namespace re::jobs {

/// Whether the entry is a line "<sha256>  ./<path>": a regular file whose name goes by lists of lines.
bool is_listed(const SnapshotEntry& entry);

/// The entries, sorted by path; nothing when this is not what render_manifest() writes.
std::optional<std::vector<SnapshotEntry>> parse_manifest(std::string_view text);

}  // namespace re::jobs
