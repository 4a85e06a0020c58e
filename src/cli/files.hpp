// What the commands that move files have in common.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.hpp"
#include "re/engine/files.hpp"

namespace re::cli {

/// Directories that all jobs of a project share: `shared` of .recompute/config, else data/.
std::vector<std::string> shared_directories(Context& context);
engine::RemoteProject remote_project(Context& context, const engine::Place& place,
                                     const project::Project& project);
/// A project made by recompute.py has no id yet: it gets one.
project::Project project_with_id(Context& context);
engine::ProjectFiles project_files(Context& context, project::Project project);
/// The newest job that ran, at that place where one is named.
/// \param records  of one project, the oldest first
std::optional<jobs::RegistryRecord> newest_that_ran(const std::vector<jobs::RegistryRecord>& records,
                                                    const std::optional<std::string>& place_key);
/// A job's own tree, relative to the home there, with a slash behind it.
std::string work_tree_of(const JobId& id);
/// --force: every file is read anew.
engine::Trust trust(const Parsed& parsed);

/// "A B" as one word is recompute.py's pair of paths; several words are paths as they are. A single word that
/// names an existing local file is that file.
enum class Side { local, remote };
std::vector<std::string> path_arguments(const Parsed& parsed, Side first);

/// What a transfer did, as a line for a person or JSON.
void report_transfer(Context& context, const remote::TransferReport& report, const std::string& what);

}  // namespace re::cli
