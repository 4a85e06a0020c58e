#include "cli/terminal_job.hpp"

namespace re::cli {

int run_terminal_job(Context&, const Parsed&) {
  throw Error(ErrorKind::unsupported, "-t is not built yet");
}

}  // namespace re::cli
