// Jupyter servers as jobs. Each has a runtime directory of its own below the job's, in which it says where it
// listens; its token comes from there or from us, and is never in a list of arguments.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "re/base/job_id.hpp"
#include "re/base/result.hpp"
#include "re/remote/host.hpp"

namespace re::jobs {

/// What a host has for notebooks.
struct Jupyter {
  std::vector<std::string> program;  ///< with the arguments that it needs in any case; empty: there is none
  std::string home;
  bool is_root = false;
  bool has_project = false;  ///< the project's directory is there
};

/// \param directory  the project's, absolute or relative to the home there
Async<Jupyter> find_jupyter(remote::Host& host, std::string directory, std::chrono::milliseconds deadline);

/// Where a server listens, on the host's loopback.
struct JupyterServer {
  unsigned short port = 0;
  std::string token;
  std::string base_url = "/";  ///< begins and ends with '/'
  bool is_secure = false;      ///< https
};

/// The name of the runtime directory below a job's.
inline constexpr std::string_view k_jupyter_directory = "jupyter";

/// Waits until the job's server has said where it listens. Throws Error: timeout, remote (the job has ended),
/// usage (it is no notebook), not_found.
Async<JupyterServer> wait_for_jupyter(remote::Host& host, JobId id, std::chrono::milliseconds limit);

/// Reads a server's runtime file: jpserver-<pid>.json of jupyter_server, nbserver-<pid>.json of notebook.
Result<JupyterServer> parse_jupyter_server(std::string_view text);

}  // namespace re::jobs
