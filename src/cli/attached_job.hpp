// A job whose streams, input and signals are passed through until it ends.
#pragma once

#include "cli/submit.hpp"

namespace re::cli {

/// Submits it to the submission's only place. Returns the job's exit code. Throws as `re sync` fails: Error
/// (unreachable) for every failure that is not the user's.
int run_attached(Context& context, const Submission& submission);

}  // namespace re::cli
