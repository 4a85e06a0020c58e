// The lines of scripts/probe.sh, understood: pure functions of text, for any text.
#pragma once

#include <string_view>

#include "re/remote/probe.hpp"

namespace re::remote {

/// Unknown and malformed lines are passed over.
HostFacts parse_host_facts(std::string_view text);

/// nvidia-smi's answers as they came.
struct SmiText {
  std::string code;    ///< its exit code, "hangs", or "held": an earlier one hangs
  std::string fields;  ///< what --query-gpu asked for
  std::string rows;    ///< stdout and stderr of --query-gpu
  std::string list;    ///< of -L; empty when it was not asked
  std::string app_code;
  std::string apps;  ///< of --query-compute-apps=pid,gpu_uuid,used_memory
  std::map<std::int64_t, std::string> owners;
};
GpuReport parse_smi(const SmiText& text);

}  // namespace re::remote
