#include "re/remote/probe.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "remote/probe_text.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

std::int64_t epoch_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

Async<HostFacts> probe(Host& host, ProbeRequest request) {
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(request.deadline / 3);
  ScriptCall call{scripts::probe, "re_probe", {}};
  call.arguments = {request.directory, std::to_string(std::max<std::int64_t>(1, limit.count())),
                    request.gpu_processes == GpuProcesses::ask ? "processes" : "no-processes", request.proc};
  const std::int64_t before = epoch_now();
  const Answer answer = co_await host.run(std::move(call), request.deadline);
  HostFacts facts = parse_host_facts(answer.output);
  // Exact while the answer came at once; a slow nvidia-smi comes after the clock was read.
  if (facts.clock_epoch) facts.skew_seconds = *facts.clock_epoch - before;
  co_return facts;
}

}  // namespace re::remote
