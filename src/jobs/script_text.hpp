// The shell text that is sent, made from the embedded files.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace re::jobs {

/// The files one after the other. They are embedded without comments and blank lines.
///
/// A line whose first word is `re_fault` is a failpoint (`re_fault step || …`). Only a test build has it.
/// There, with RE_FAULT=step:n:kill|eio|enospc|hang|slow, `re_fault` acts at the n-th passage of `step`:
/// kills the shell, hangs, or fails as the command behind it would. It leaves ~/.re-fault as a mark.
std::string script_text(std::span<const std::string_view> files);

/// What the supervisor runs, and what its job's process runs first.
std::string supervisor_text();
std::string runner_text();
/// What starts the jobs of a batch.
std::string starter_text();

}  // namespace re::jobs
