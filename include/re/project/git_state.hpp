// What git knows about a project, for the record of a job.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

namespace re::project {

struct GitState {
  std::string commit;           ///< HEAD in full; empty before the first commit
  std::string diff;             ///< uncommitted changes of tracked files against HEAD
  bool diff_truncated = false;  ///< the diff was longer than k_largest_git_diff and was cut there
};

inline constexpr std::size_t k_largest_git_diff = std::size_t{1} << 20U;

/// Nothing where there is no git, no repository, or no answer within `deadline` (for all of it together). A
/// hostile repository cannot choose a command: file system monitors, hooks, external diffs, text conversions,
/// filters and submodules are all switched off. Blocking. Throws nothing for git's sake.
std::optional<GitState> read_git_state(const std::filesystem::path& directory,
                                       std::chrono::milliseconds deadline = std::chrono::seconds(10));

}  // namespace re::project
