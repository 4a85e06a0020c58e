// Installing a project's dependencies: for `re install`, and for `re init`.
#pragma once

#include "cli/context.hpp"
#include "re/engine/install.hpp"

namespace re::cli {

/// Does it on the one place that is meant, as a job whose output is passed through, unless the set is what
/// was installed there last (--force: then too). Returns the job's exit code.
int install(Context& context, const Parsed& parsed, const engine::InstallPlan& plan);

}  // namespace re::cli
