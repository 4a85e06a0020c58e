// The answer of re_list (scripts/list.sh):
//
//   now <epoch>                          the host's clock
//   job <id> <state> <exit file or ->    once for each job; the file is named exit.<code>.<epoch>
//   spec                                 below it the specs of these jobs, one after the other
//   run                                  their `run` lines: "pid=… start=… … began=<epoch> job=<id>"
//   log                                  `ls -ln` of their logs
//   end
#pragma once

#include <string_view>

#include "re/base/result.hpp"
#include "re/jobs/job_host.hpp"

namespace re::jobs {

/// Fails as a whole when the answer is cut off; what is wrong with one job is among its problems.
Result<Listing> parse_listing(std::string_view text);

}  // namespace re::jobs
