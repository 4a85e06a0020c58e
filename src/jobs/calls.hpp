// The calls that the job host makes, and how their trailers read.
#pragma once

#include <string>

#include "re/base/result.hpp"
#include "re/jobs/job_host.hpp"
#include "re/jobs/patch.hpp"

namespace re::jobs {

/// A call together with its library's text.
struct OwnedCall {
  std::string library;
  std::string function;
  std::vector<std::string> arguments;
  remote::ScriptCall::Repeat repeat = remote::ScriptCall::Repeat::allowed;
  std::string preparation = {};
  std::string more = {};

  /// Valid while this lives.
  [[nodiscard]] remote::ScriptCall call() const {
    return {library, function, arguments, repeat, preparation, more};
  }
};

/// Where the token stands among a launch's arguments.
inline constexpr std::size_t k_token_argument = 1;
/// One attempt to submit; every attempt has a token of its own, and so is not sent twice. \param function
/// re_launch or re_launch_attached
/// \param options  what the host is to know besides
OwnedCall launch_call(const model::JobSpec& spec, const std::string& shell, std::string function,
                      const LaunchOptions& options = {});
/// What every launch has in its library, whatever the job.
std::string launch_library();
/// What a shell does that waits for the launch after this one's. Needs the spec's project, streams and kind
/// of work tree.
std::string place_preparation(const model::JobSpec& spec, const std::string& shell);
/// One attempt to submit many at once: jobs without streams, that share snapshot and diff. \param specs not
/// empty
OwnedCall batch_call(const std::vector<model::JobSpec>& specs, const std::string& shell);
/// A patch as re_patch_snapshot (patch.sh) takes it, behind the snapshot's name.
std::vector<std::string> patch_arguments(const SnapshotPatch& patch);
/// A new attempt to start what was committed.
OwnedCall resume_call(const JobId& id, const std::string& shell);
/// A call of stream.sh: re_attach, re_read_log, re_tail_log.
OwnedCall stream_call(std::string function, std::vector<std::string> arguments);
OwnedCall list_call(const ListFilter& filter);
OwnedCall signal_call(const JobId& id, int signal);

/// Reads "STARTED 17" and the like. Throws Error: not_found (NOJOB), unsupported (NOTOOL), remote (FAILED),
/// protocol.
/// \param complaint what the tools said on stderr
LaunchReport read_launch_answer(std::string_view answer, std::string_view complaint, const std::string& host);
/// Reads "<state> <code or -> <rest>", gives the rest. Throws Error: not_found (NOJOB), protocol.
std::string_view read_state(std::string_view trailer, LogState& state, const JobId& id);

std::string_view file_of(LogStream stream);

}  // namespace re::jobs
