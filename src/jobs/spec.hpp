// The files of a submission.
//
// `spec`, version 1: lines "key=value", each ended by '\n', the first "re-spec=1". In values the bytes below
// 0x20, 0x7f and '%' are written %xx (two hex digits, lower case). Keys: id index name command project_id
// project_name project_path work (own|live) streams (merged|split|terminal) always; snapshot continues
// submitted_from git_commit where they are not empty; `shared` once for each directory. A reader skips keys
// it does not know. The environment and the diff are not in it: they are in `plan` and `git.diff`.
//
// `plan`: shell text that tells the supervisor what to do: it sets re_work, re_streams, re_snapshot,
// re_project, re_continue, re_command, re_environment (shell text, one `export NAME=value` a line), and the
// shared directories as the arguments. Everything is in one file, because every file that is synced takes as
// long as the disk.
#pragma once

#include <string>
#include <string_view>

#include "re/base/result.hpp"
#include "re/model/job.hpp"

namespace re::jobs {

/// Throws Error (usage) when a value cannot be carried: a NUL byte, a name that is no variable's, a command
/// over k_command_limit, Streams::terminal.
void require_valid(const model::JobSpec& spec);
std::string render_spec(const model::JobSpec& spec);
Result<model::JobSpec> parse_spec(std::string_view text);
std::string render_environment(const model::JobSpec& spec);
std::string render_plan(const model::JobSpec& spec);

}  // namespace re::jobs
