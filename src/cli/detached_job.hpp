// A job that is started and left to itself.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/submit.hpp"

namespace re::cli {

/// Starts it at the submission's only place and says so, as `re async` does. Returns the exit code.
int start_detached(Context& context, const Submission& submission);

/// What `re async --json` says of a job that was started.
nlohmann::json started_json(const engine::Place& place, const engine::Submitted& submitted);
/// "job 3 (runner) runs on gpu1, pid 1234\n"
std::string started_line(const engine::Place& place, const engine::Submitted& submitted);
/// Throws Error (remote) when the job was started and is not there any more.
void refuse_lost(const engine::Submitted& submitted);

}  // namespace re::cli
