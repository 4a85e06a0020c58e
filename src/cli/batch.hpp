// The file of `async --batch`.
#pragma once

#include <string>
#include <vector>

namespace re::cli {

/// The commands in a file, or on standard input for "-": a line each, but for blank ones and those that begin
/// with
/// '#'. Throws Error: usage (no command, or one that cannot be a job's), io.
std::vector<std::string> read_batch(const std::string& file);

}  // namespace re::cli
