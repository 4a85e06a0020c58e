#include "jobs/script_text.hpp"

#include <array>
#include <cstdlib>

#include "jobs/scripts.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

// The function that the failpoints call. Other builds have none (cmake/Embed.cmake).
std::string fault_function() {
#ifdef RE_FAILPOINTS
  const char* const fault = std::getenv("RE_FAULT");
  const auto parts = split(fault == nullptr ? "" : fault, ':');
  if (parts.size() != 3) return "re_fault() { :; }\n";
  const std::string reason = parts[2] == "enospc" ? "No space left on device" : "Input/output error";
  std::string text = "re_fault_passages=0\nre_fault() {\n";
  text += "[ \"$1\" = " + shell_quote(parts[0]) + " ] || return 0\n";
  text += "re_fault_passages=$((re_fault_passages + 1))\n";
  text +=
      "[ \"$re_fault_passages\" -eq " + shell_quote(parts[1]) + " ] || return 0\n: >\"$HOME/.re-fault\"\n";
  if (parts[2] == "kill") {
    text += "kill -9 $$\n";
    // A subshell has the $$ of its parent. That of a patch is left alive, to clean up.
    if (!parts[0].starts_with("patch.")) text += "sh -c 'kill -9 \"$PPID\"'\n";
  }
  if (parts[2] == "slow") text += "sleep 1\nreturn 0\n";
  if (parts[2] == "hang") text += "while :; do sleep 1000; done\n";
  text += "printf '%s\\n' \"$1: " + reason + "\" >&2\nreturn 1\n}\n";
  return text;
#else
  return {};
#endif
}

}  // namespace

std::string script_text(std::span<const std::string_view> files) {
  std::string text = fault_function();
  std::size_t size = text.size();
  for (const auto file : files) size += file.size();
  text.reserve(size);
  for (const auto file : files) text += file;
  return text;
}

std::string supervisor_text() {
  const std::array<std::string_view, 3> files = {scripts::basics, scripts::trees, scripts::supervisor};
  return script_text(files);
}

std::string starter_text() {
  const std::array<std::string_view, 5> files = {scripts::basics, scripts::common, scripts::start,
                                                 scripts::launch, scripts::starter};
  return script_text(files);
}

std::string runner_text() {
  const std::array<std::string_view, 4> files = {scripts::basics, scripts::trees, scripts::work,
                                                 scripts::run};
  return script_text(files);
}

}  // namespace re::jobs
