#pragma once

#include "cli/submit.hpp"

namespace re::cli {

/// Runs the command at all places at the same time, with /dev/null as input; what they print comes line by
/// line with the place's name before it. Returns 255 if a place failed for a reason that is not its command's
/// (130 if only because we were interrupted before it began), else the highest exit code; one line on
/// standard error for each that was not 0.
int sync_with_many(Context& context, const Parsed& parsed, Submission submission);

}  // namespace re::cli
