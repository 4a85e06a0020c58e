// What `re sync` does with a job's streams, for one host and for many.
#pragma once

#include <memory>

#include "cli/context.hpp"
#include "re/engine/follow.hpp"
#include "re/engine/submit.hpp"

namespace re::cli {

/// So often Ctrl-C, and `re` leaves while the job goes on.
inline constexpr int k_presses_to_detach = 3;

/// Gives `print` what comes until the job has ended, and writes down that it runs when it does not end at
/// once. Throws Error (unreachable) when the connection is lost.
Async<void> print_streams(Context& context, const model::JobSpec& job, jobs::Attachment& streams,
                          const engine::LogSink& print);

/// The job's exit code, written down, when print_streams() is over. Throws Error (unreachable) when the job
/// has none.
int settle(Context& context, const model::JobSpec& job, const jobs::Attachment::End& end);

/// The error of a connection that was lost while the job ran, which it does still.
Error goes_on(Error failure, const model::JobSpec& job);

/// Throws Error when it cannot be delivered.
Async<void> send_signal(std::shared_ptr<remote::Host> host, JobId id, int signal);

}  // namespace re::cli
