// Where a question goes: ssh(1) on SSH_ASKPASS, SSH_ASKPASS_REQUIRE and DISPLAY; OpenSSH's readpass.c.
#pragma once

#include <string_view>

#include "re/sys/paths.hpp"
#include "re/sys/secret.hpp"

namespace re::cli {

enum class AskingWay { terminal, program, nobody };
enum class HasTerminal { no, yes };

/// The terminal where there is one, else the program of SSH_ASKPASS where there is a display;
/// SSH_ASKPASS_REQUIRE prefers it, forces it, or forbids it.
AskingWay way_to_ask(const sys::Environment& environment, HasTerminal terminal);

/// Runs `program` with the prompt as its argument, and waits for it. What it prints, to the end of the line,
/// is the answer. Throws Error (auth) where it gives none.
sys::Secret ask_by_program(std::string_view program, std::string_view prompt);

}  // namespace re::cli
