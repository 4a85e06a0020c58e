// From the command line to a job's specification: what async and sync have in common.
#pragma once

#include "cli/files.hpp"
#include "re/engine/submit.hpp"

namespace re::cli {

/// Throws Error (usage) for a missing command or a malformed option.
engine::SubmitRequest submit_request(Context& context, const Parsed& parsed, model::Streams streams);

}  // namespace re::cli
