#pragma once

#include "cli/context.hpp"

namespace re::cli {

/// `re sync -t`: the job has a terminal and lives as long as the connection.
int run_terminal_job(Context& context, const Parsed& parsed);

}  // namespace re::cli
